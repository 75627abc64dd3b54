"""A secret manager in memory, with the contract of `accesses.providers`."""

import datetime
from typing import Any

import pytest

from accesses import providers
from accesses import services as accesses

CHANGED = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)
ACCOUNT = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:"


def entry(name: str, **facts: Any) -> providers.Entry:
    values = {"name": name, "reference": f"{ACCOUNT}{name}-AbCdEf", "kind": "", "description": ""}
    values |= {"changed_at": CHANGED, "tags": {}}
    return providers.Entry(**(values | facts))


class FakeManager:
    """Lists what it was given, `size` names a page, or raises what it was told to."""

    def __init__(self, *names: str | providers.Entry, size: int = 100) -> None:
        self.entries = [entry(name) if isinstance(name, str) else name for name in names]
        self.size = size
        self.error: Exception | None = None
        self.calls: list[tuple[str, str]] = []

    def page(self, prefix: str = "", cursor: str = "") -> providers.Page:
        self.calls.append((prefix, cursor))
        if self.error is not None:
            raise self.error
        if cursor and not (cursor.isascii() and cursor.isdecimal()):
            raise providers.ProviderError("AWS does not know this NextToken.", "Begin the list anew.")
        found = [entry for entry in self.entries if entry.name.startswith(prefix)]
        start = int(cursor or 0)
        more = str(start + self.size) if start + self.size < len(found) else ""
        return providers.Page(entries=found[start : start + self.size], cursor=more)

    def use(self, patch: pytest.MonkeyPatch) -> "FakeManager":
        patch.setattr(accesses, "connect", lambda access: self)
        return self


def refused() -> providers.PermissionMissing:
    return providers.PermissionMissing(
        permission="secretsmanager:ListSecrets",
        reason="User arn:aws:iam::123456789012:user/eso may not list secrets.",
        remedy="Allow secretsmanager:ListSecrets on *.",
    )
