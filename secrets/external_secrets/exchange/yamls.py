"""Reading YAML that strangers wrote: no tags, no aliases, limits on everything, and a line for every mistake."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

LARGEST = 1024 * 1024
MOST_DOCUMENTS = 5000
MOST_NODES = 200_000
DEEPEST = 40
# Longer numbers are text: Python would take its time over them.
LONGEST_NUMBER = 18
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN = {"null", "bool", "int", "float"}


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """What is wrong in a line, counted from 1; 0 is the whole text."""

    line: int
    text: str


class Refused(ValueError):
    """The text cannot be read. `mistake` says where and why."""

    def __init__(self, line: int, text: str) -> None:
        self.mistake = Mistake(line, text)
        super().__init__(text)


class Map(dict[str, Any]):
    """A mapping that knows its line and those of its keys."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class Seq(list[Any]):
    """A list that knows its line and those of its items."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []


def line_of(value: Any, key: str | int = "") -> int:
    """Return the line of a key or an item, else of the value itself; 0 where it came from a cluster."""
    lines = getattr(value, "lines", None)
    if isinstance(lines, dict) and key in lines:
        return int(lines[str(key)])
    if isinstance(lines, list) and isinstance(key, int) and key < len(lines):
        return int(lines[key])
    return int(getattr(value, "line", 0))


def load(text: str) -> list[Map]:
    """Return the documents of a text, the items of a `List` one by one; empty documents are left out.

    :raises Refused: it is no YAML, no list of mappings, too large, too deep, or uses aliases or tags
    """
    # Half of a surrogate pair is no character that anything could be written with.
    encoded = text.encode(errors="replace")
    if len(encoded) > LARGEST:
        raise Refused(0, "The text is larger than 1 MiB. Import it in parts.")
    try:
        return list(_unfolded(_documents(_events(encoded.decode()))))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Refused(mark.line + 1 if mark else 0, f"This is no YAML: {error.problem}.") from None
    except yaml.YAMLError:
        raise Refused(0, "This is no YAML: it has characters that cannot be in one.") from None


def _events(text: str) -> Iterator[Any]:
    nodes = depth = documents = 0
    events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise Refused(line, "Aliases are not read; write out what they stand for.")
        nodes += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise Refused(line, f"This is nested more than {DEEPEST} levels deep.")
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > MOST_DOCUMENTS:
            raise Refused(line, f"There are more than {MOST_DOCUMENTS} documents.")
        if nodes > MOST_NODES:
            raise Refused(line, f"There are more than {MOST_NODES} values. Import it in parts.")
        yield event


class _Scalars:
    """Turns a scalar into what Kubernetes would read: text, a number, a truth value or nothing."""

    def __init__(self) -> None:
        self._loader = yaml.SafeLoader("")

    def value(self, event: Any) -> Any:
        line = event.start_mark.line + 1
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise Refused(line, "Tags are not read; write the value without one.")
        tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        kind = str(tag).rpartition(":")[2]
        if event.tag or kind not in _PLAIN or len(event.value) > LONGEST_NUMBER:
            return str(event.value)
        try:
            return self._loader.construct_object(yaml.ScalarNode(tag, event.value))
        except (ValueError, yaml.YAMLError):
            return str(event.value)


def _documents(events: Iterator[Any]) -> Iterator[Any]:
    """Yield the value of each document, built without recursion."""
    scalars = _Scalars()
    stack: list[Map | Seq] = []
    keys: list[str | None] = []
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.CollectionEndEvent):
            done = stack.pop()
            keys.pop()
            if not stack:
                yield done
        elif isinstance(event, yaml.CollectionStartEvent):
            value = _opened(event, line)
            if stack and _put(stack[-1], keys, value, line):
                raise Refused(line, "A key has to be text.")
            stack.append(value)
            keys.append(None)
        elif isinstance(event, yaml.ScalarEvent):
            yield from _scalar(scalars.value(event), stack, keys, line)


def _scalar(value: Any, stack: list[Map | Seq], keys: list[str | None], line: int) -> Iterator[Any]:
    """Put a scalar into what is open, or yield it when it is all of a document."""
    if stack:
        _put(stack[-1], keys, value, line)
    else:
        yield value


def _opened(event: Any, line: int) -> Map | Seq:
    if event.tag not in (None, "!"):
        raise Refused(line, "Tags are not read; write the value without one.")
    return Map(line) if isinstance(event, yaml.MappingStartEvent) else Seq(line)


def _put(parent: Map | Seq, keys: list[str | None], value: Any, line: int) -> bool:
    """Put a value where it belongs; tell whether it was taken for a key."""
    if isinstance(parent, Seq):
        parent.append(value)
        parent.lines.append(line)
        return False
    key = keys[-1]
    if key is None:
        keys[-1] = name = str(value)
        if name in parent:
            raise Refused(line, f"The key {name[:80]} is here twice.")
        parent.lines[name] = line
        return True
    parent[key] = value
    keys[-1] = None
    return False


def _unfolded(documents: Iterator[Any]) -> Iterator[Map]:
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, Map):
            raise Refused(line_of(document) or 1, "A document has to be an object with apiVersion and kind.")
        items = document.get("items")
        if str(document.get("kind", "")).endswith("List") and isinstance(items, Seq):
            for at, item in enumerate(items):
                if not isinstance(item, Map):
                    raise Refused(line_of(items, at), "An item of a list has to be an object.")
                yield item
        else:
            yield document
