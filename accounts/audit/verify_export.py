"""Check an exported audit log (JSON lines) where nothing of Keyhaven is: `python verify_export.py FILE`.

Needs Python 3.12 alone, and hashing.py beside it. Whether the log is the one that was signed is told by comparing its
last hash with that of a digest of the same event.
"""

import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any


def _hashing() -> ModuleType:
    """Return hashing.py from beside this file, without the package around it."""
    spec = importlib.util.spec_from_file_location("hashing", Path(__file__).with_name("hashing.py"))
    if spec is None or spec.loader is None:
        raise SystemExit("hashing.py is not beside this file.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Wrong(Exception):
    """A file that is not what was exported; the text says where."""


def check(lines: Iterable[str]) -> str:
    """Return what was found, in a sentence.

    :raises Wrong: a line was edited, removed, put in or cut off
    """
    hashing, whole = _hashing(), hashlib.sha256()
    heading: dict[str, Any] | None = None
    previous: dict[str, Any] | None = None
    events = 0
    for number, line in enumerate(lines, start=1):
        one = _object(line, number)
        if one.get("end"):
            return _end(one, events, whole.hexdigest(), previous)
        whole.update(line.encode())
        if heading is None:
            heading = one
            continue
        _event(hashing, one, previous, heading, number)
        previous, events = one, events + 1
    raise Wrong(f"The file is cut: it has {events} events and no last line.")


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        one = json.loads(line)
    except ValueError as error:
        raise Wrong(f"Line {number} is cut or no JSON.") from error
    if not isinstance(one, dict):
        raise Wrong(f"Line {number} is no object.")
    return one


def _event(
    hashing: ModuleType,
    one: dict[str, Any],
    previous: dict[str, Any] | None,
    heading: dict[str, Any],
    number: int,
) -> None:
    try:
        values = [one[name] for name in hashing.COLUMNS]
        own, sequence, follows = one["hash"], one["sequence"], one["previous_hash"]
        right = hashing.digest(one["scheme"], values) == own
    except (KeyError, TypeError) as error:
        raise Wrong(f"Line {number} is no event.") from error
    if not right:
        raise Wrong(f"Event {sequence} (line {number}) was edited: its content does not have its hash.")
    if previous is None:
        before, known = _beginning(heading)
        at_once = not heading["filter"]
    else:
        before, known = previous["sequence"], previous["hash"]
        at_once = not heading["filter"]
    if at_once and sequence != before + 1:
        raise Wrong(f"Line {number} is event {sequence}, but {before + 1} follows.")
    if sequence <= before or (sequence == before + 1 and follows != known):
        raise Wrong(f"Event {sequence} (line {number}) does not follow from event {before}.")


def _beginning(heading: dict[str, Any]) -> tuple[int, str]:
    pruned = heading.get("pruned")
    return (pruned["through"], pruned["hash"]) if pruned else (0, "0" * 64)


def _end(end: dict[str, Any], events: int, sha256: str, last: dict[str, Any] | None) -> str:
    if end.get("events") != events:
        raise Wrong(f"The last line says {end.get('events')} events, but there are {events}.")
    if end.get("sha256") != sha256:
        raise Wrong("The lines are not those that were exported: their SHA-256 is another.")
    if last is None:
        return "No events, as exported."
    if end.get("hash") != last["hash"]:
        raise Wrong(f"The last line does not have the hash of event {last['sequence']}.")
    return f"{events} events, as exported. Event {last['sequence']} has the hash {last['hash']}."


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with Path(sys.argv[1]).open(encoding="utf-8", newline="\n") as file:
            print(check(file))
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
