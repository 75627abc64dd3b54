"""What a person wants an access to be, and how that differs from what it is."""

import datetime
from dataclasses import dataclass, field
from typing import Any

from accesses import seeing
from accesses.models import Access
from credentials.models import CloudCredential


@dataclass(frozen=True, slots=True)
class Values:
    """What a person wants an access to be: all but its name, its cluster and its provider."""

    method: str
    configuration: dict[str, Any]
    credential: dict[str, str] = field(repr=False)
    namespaces: list[str]
    cloud_credential: CloudCredential | None = None
    expires_at: datetime.datetime | None = None
    prefix: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    only_tagged: bool = False
    refresh_seconds: int = 0

    def is_new_to(self, access: Access) -> bool:
        """Tell whether another identity or place would be signed in to, or other names seen, which is to be tried first."""
        tried = ("method", "configuration", "credential", "cloud_credential", "prefix", "only_tagged")
        return any(getattr(self, name) != (getattr(access, name) or self._nothing(name)) for name in tried)

    @staticmethod
    def _nothing(name: str) -> Any:
        return {"configuration": {}, "credential": {}, "prefix": "", "only_tagged": False}.get(name)

    def put(self, access: Access) -> Access:
        """Write the values on a row, without saving it."""
        for name in self.__dataclass_fields__:
            setattr(access, name, getattr(self, name))
        access.namespaces = sorted(self.namespaces)
        return access

    def public(self) -> dict[str, Any]:
        named = self.cloud_credential.name if self.cloud_credential else ""
        return _public(self.method, self.configuration, self.namespaces, named) | seeing.told(self)


def compared(access: Access, values: Values) -> list[dict[str, str]]:
    """Return where an access differs from what a person sent: `[{"name", "stored", "sent"}]`, never a credential."""
    stored, sent = public_of(access), values.public()
    return [
        {"name": name, "stored": str(stored.get(name, "")), "sent": str(value)}
        for name, value in sent.items()
        if value != stored.get(name)
    ]


def _public(
    method: str, configuration: dict[str, Any], namespaces: list[str], cloud_credential: str
) -> dict[str, Any]:
    """Return what may be told of an access; a cloud credential only where there is one."""
    named = {"cloud credential": cloud_credential} if cloud_credential else {}
    return configuration | {"method": method, "namespaces": ", ".join(sorted(namespaces))} | named


def public_of(access: Access) -> dict[str, Any]:
    """Return what may be told of an access as it is."""
    named = access.cloud_credential.name if access.cloud_credential else ""
    return _public(access.method, access.configuration, access.namespaces, named) | seeing.told(access)
