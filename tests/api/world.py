"""Every call of the API, derived from its document, with what one in good order sends."""

import functools
from collections.abc import Callable
from typing import Any

from config.api.root import api

METHODS = ("get", "post", "put", "patch", "delete")

# operation id → what names it in the path (beside `org`), and `body` where one is sent. A callable is given `things`:
# one object of each kind, made in tests/api/conftest.py.
type Row = dict[str, Any]
ROWS: dict[str, Row] = {
    "list_tokens": {},
    "create_token": {"body": {"name": "pipeline", "roles": ["viewer"], "expires": "never"}},
    "revoke_token": {"token": lambda things: things["token"].pk},
    "list_clusters": {},
    "get_cluster": {"cluster": "prod"},
}

# What is one person's own: to others with the permission it may be as if it were not there.
OWN = {"revoke_token"}


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
