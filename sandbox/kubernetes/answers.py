"""Refusals, in the API server's own words: a Status object and an HTTP status."""

from typing import Any


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details

    def status(self) -> dict[str, Any]:
        """Return the Status object."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }


def not_found(group: str, plural: str, name: str) -> Refused:
    full = f"{plural}.{group}" if group else plural
    return Refused(404, "NotFound", f'{full} "{name}" not found', name=name, group=group, kind=plural)


def already_exists(group: str, plural: str, name: str) -> Refused:
    full = f"{plural}.{group}" if group else plural
    return Refused(
        409, "AlreadyExists", f'{full} "{name}" already exists', name=name, group=group, kind=plural
    )


def invalid(kind: str, group: str, name: str, causes: list[tuple[str, str]]) -> Refused:
    """Return a 422 with a cause per (field, message)."""
    texts = [f"{field}: {message}" for field, message in causes]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    full = f"{kind}.{group}" if group else kind
    listed = [
        {"reason": "FieldValueInvalid", "field": field, "message": message} for field, message in causes
    ]
    return Refused(
        422,
        "Invalid",
        f'{full} "{name}" is invalid: {joined}',
        name=name,
        group=group,
        kind=kind,
        causes=listed,
    )


def forbidden(user: str, verb: str, group: str, plural: str, namespace: str, name: str) -> Refused:
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    full = f"{plural}.{group}" if group else plural
    subject = f'{full} "{name}"' if name else full
    message = f'{subject} is forbidden: User "{user}" cannot {verb} resource "{plural}" in API group "{group}" {where}'
    return Refused(403, "Forbidden", message, name=name, group=group, kind=plural)


def forbidden_path(user: str, path: str) -> Refused:
    return Refused(403, "Forbidden", f'forbidden: User "{user}" cannot get path "{path}"')


UNAUTHORIZED = Refused(401, "Unauthorized", "Unauthorized")
