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
    "get_organization": {},
    "change_organization": {"body": {"name": "Acme Platform"}},
    "list_members": {},
    "get_member": {"member": lambda things: things["member"].pk},
    "change_member_roles": {"member": lambda things: things["member"].pk, "body": {"roles": ["viewer"]}},
    "remove_member": {"member": lambda things: things["member"].pk},
    "list_invitations": {},
    "create_invitation": {"body": {"roles": ["viewer"], "days": 1}},
    "revoke_invitation": {"invitation": lambda things: things["invitation"].pk},
    "list_built_in_roles": {},
    "list_roles": {},
    "get_role": {"role": lambda things: things["role"].pk},
    "create_role": {"body": {"name": "Deployers", "permissions": ["deploy:run"]}},
    "change_role": {
        "role": lambda things: things["role"].pk,
        "body": {"name": "Readers", "permissions": ["cluster:view"], "version": 1},
    },
    "delete_role": {"role": lambda things: things["role"].pk},
    "list_audit_events": {},
    "get_audit_event": {"sequence": 2},
    "export_audit_events": {},
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
