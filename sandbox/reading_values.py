"""What the operator makes of what it read: a field of a JSON value, all keys of one, and names as keys of a Secret."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping

_LEGAL = re.compile(r"[A-Za-z0-9._-]+")
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


class Failed(Exception):
    """A sync failed, or a store has no identity; the text is what the operator writes into its event."""


class Missing(Failed):
    """There is no such secret: then the deletion policy decides."""

    def __init__(self, text: str = "Secret does not exist") -> None:
        super().__init__(text)


# -- one field: what gjson, the operator's query language, makes of the paths that the console writes ----------------
def field(text: str, wanted: str, key: str) -> str:
    """Return a field of a JSON value: a literal key with dots first, then a dotted path.

    :raises Failed: there is none
    """
    found = _walk(text, [unescaped(wanted)]) if "." in wanted else None
    if found is None:
        found = _walk(text, [unescaped(part) for part in split(wanted)])
    if found is None:
        raise Failed(f"key {wanted} does not exist in secret {key}")
    return text_of(found)


def split(path: str) -> list[str]:
    """Return the parts of a path between its dots, but not those behind a backslash."""
    return re.split(r"(?<!\\)\.", path)


def unescaped(part: str) -> str:
    return re.sub(r"\\(.)", r"\1", part)


def _walk(text: str, parts: list[str]) -> str | None:
    """Return the raw JSON at a path, or None."""
    for part in parts:
        found = next((raw for name, raw in members(text) if name == part), None)
        if found is None:
            return None
        text = found
    return text


def members(text: str) -> Iterator[tuple[str, str]]:
    """Yield what an object or a list holds, as (name or number, raw JSON); nothing of anything else."""
    try:
        value, end = _DECODER.raw_decode(text, _SPACE.match(text).end())  # type: ignore[union-attr]
    except ValueError:
        return
    if not isinstance(value, dict | list) or text[end:].strip():
        return
    at, number = text.index("{" if isinstance(value, dict) else "[") + 1, 0
    while True:
        at = _after(text, at, ",")
        if text[at] in "}]":
            return
        name = str(number)
        if isinstance(value, dict):
            name, at = _DECODER.raw_decode(text, at)
            at = _after(text, at, ":")
        _, end = _DECODER.raw_decode(text, at)
        yield name, text[at:end]
        at, number = end, number + 1


def _after(text: str, at: int, mark: str) -> int:
    """Return where something begins after spaces and at most one mark."""
    at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
    if text[at] == mark:
        at = _SPACE.match(text, at + 1).end()  # type: ignore[union-attr]
    return at


def text_of(raw: str) -> str:
    """Return raw JSON as the operator writes it: strings without quotes, whole numbers as they stand, null as nothing."""
    value = json.loads(raw)
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:f}".rstrip("0").rstrip(".") if abs(value) < 1e21 else repr(value)
    return raw


# -- several ---------------------------------------------------------------------------------------------------
def keys(text: str, key: str) -> dict[str, str]:
    """Return every key of a JSON object; what is no string stays as it stands.

    :raises Failed: it is no object
    """
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if not isinstance(whole, dict):
        raise Failed(f"unable to unmarshal secret {key}")
    return {name: json.loads(raw) if raw.startswith('"') else raw for name, raw in members(text)}


def converted(found: Mapping[str, str], what: str) -> dict[str, str]:
    """Return values by legal keys: what is no letter, digit, - . or _ becomes _.

    :raises Failed: two names become one, or a letter is none of a key
    """
    made: dict[str, str] = {}
    for name, value in found.items():
        key = "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in name)
        if key in made:
            raise Failed(f"secret name collision during conversion: {key}")
        made[key] = value
    if not all(_LEGAL.fullmatch(key) for key in made):
        raise Failed(
            f"secret keys from spec.dataFrom.{what}[0] can only have alphanumeric, '-', '_' or '.' characters. "
            "Convert them using rewrite (https://external-secrets.io/latest/guides-datafrom-rewrite)"
        )
    return made


def matching(names: Iterable[str], find: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the names that a `find` asks for by its regular expression; all of them where it has none."""
    wanted = (find.get("name") or {}).get("regexp", "")
    return [name for name in names if re.search(wanted, name)]
