"""Every call of the API, derived from its document, with what one in good order sends."""

import functools
from collections.abc import Callable
from typing import Any

from config.api.root import api

METHODS = ("get", "post", "put", "patch", "delete")

# operation id → what names it in the path (beside `org`), and the body that is sent, where it has one.
# A callable is given the world: `Things` with one object of each kind.
type Row = dict[str, Any]
ROWS: dict[str, Row] = {
    "list_clusters": {},
    "get_cluster": {"cluster": "prod"},
}


def document() -> dict[str, Any]:
    found: dict[str, Any] = api.get_openapi_schema()
    return found


@functools.cache
def operations() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return operation id → method, path and description, as the document has them."""
    return {
        call["operationId"]: (method, path, call)
        for path, methods in document()["paths"].items()
        for method, call in methods.items()
        if method in METHODS
    }


def path_of(name: str, arguments: dict[str, Any]) -> str:
    """Return an operation's path after the organization, with its arguments in it."""
    path: str = operations()[name][1].partition("{org}")[2]
    for key, value in arguments.items():
        path = path.replace(f"{{{key}}}", str(value))
    assert "{" not in path, f"{name} needs more arguments: {path}"
    return path


def ask(call: Callable[..., Any], name: str, things: dict[str, Any]) -> Any:
    """Make a call that is in good order."""
    row = {key: value(things) if callable(value) else value for key, value in ROWS[name].items()}
    body = row.pop("body", None)
    return call(operations()[name][0].upper(), path_of(name, row), body)
