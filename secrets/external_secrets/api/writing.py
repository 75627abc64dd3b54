"""The API's calls that write secrets. A value is in the body of a request and nowhere else."""

import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables
from ninja import Query
from pydantic import Field, SecretStr, StringConstraints

from accesses import providers
from accesses.api import find as find_access
from accesses.models import Access
from accounts import tags
from accounts.pacing import OUTSIDE
from accounts.roles import Permission
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent, Shown
from config.api.problems import Problem
from external_secrets.views.writing import reach, require
from external_secrets.writing import services

calls = Calls("Secrets")
WRITE = Permission.SECRET_WRITE
# PostgreSQL's index takes no longer name.
Name = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Value = Annotated[SecretStr, Field(max_length=1_000_000, description="Sent to the secret manager once.")]
_STATUSES: tuple[tuple[type[providers.ProviderError], int], ...] = (
    (providers.AlreadyThere, 409),
    (providers.NotThere, 404),
    (providers.Throttled, 429),
)


class SecretSent(Sent):
    """A secret to create. What is `name` goes behind the access's prefix."""

    name: Name
    value: Value
    tags: dict[str, str] = Field({}, max_length=tags.MOST, description="Besides the default tags.")


class VersionSent(Sent):
    """The value of a new version."""

    value: Value


class WrittenShown(Shown):
    """A secret that was written."""

    name: str
    cluster: str
    access: str
    restorable_until: datetime | None = Field(None, description="Of one that was deleted, where it is known.")

    @classmethod
    def of(cls, access: Access, name: str, until: datetime | None = None) -> "WrittenShown":
        return cls(name=name, cluster=access.cluster.name, access=access.name, restorable_until=until)


def _find(request: ApiRequest, cluster: str, access: str) -> Access:
    found = find_access(request, cluster, access, WRITE)
    if wait := OUTSIDE.take(request.organization.pk, request.user.pk):
        raise Problem(429, headers={"Retry-After": str(wait)})
    return found


def _named(request: ApiRequest, cluster: str, access: str, name: str) -> Access:
    """Return the access of a secret that may be written; 404 or 403 as on its pages."""
    found = _find(request, cluster, access)
    require(request, found, name)
    return found


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn what goes wrong at a write into problems; an unknown outcome has a code of its own."""
    try:
        yield
    except services.NotAllowed as error:
        raise problems.invalid(error.field, str(error)) from None
    except services.Unknown as error:
        raise Problem(502, str(error), code="outcome-unknown") from None
    except providers.ProviderError as error:
        status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 502)
        raise Problem(status, f"{error.reason} {error.remedy}".strip()) from None


def _checked(sent: dict[str, str]) -> dict[str, str]:
    try:
        return dict(tags.check(name, value) for name, value in sent.items())
    except ValidationError as error:
        raise problems.invalid("tags", " ".join(error.messages)) from None


@calls.post("/clusters/{cluster}/accesses/{access}/secrets", Permission.SECRET_WRITE, once=False)
@sensitive_variables()
def create_secret(request: ApiRequest, cluster: str, access: str, sent: SecretSent) -> WrittenShown:
    """Create a secret behind the access's prefix, with the default tags; the access has to be writable."""
    found = _find(request, cluster, access)
    extra = _checked(sent.tags)
    with _told():
        name = services.create(
            access=found, name=sent.name, value=sent.value.get_secret_value(), tags=extra,
            reach=reach(request, found), by=request.user,
        )  # fmt: skip
    return WrittenShown.of(found, name)


@calls.post("/clusters/{cluster}/accesses/{access}/secrets/versions", Permission.SECRET_WRITE, once=False)
@sensitive_variables()
def add_secret_version(
    request: ApiRequest, cluster: str, access: str, name: Query[Name], sent: VersionSent
) -> WrittenShown:
    """Give a secret a new version; each call makes one."""
    found = _named(request, cluster, access, name)
    with _told():
        services.put(access=found, name=name, value=sent.value.get_secret_value(), by=request.user)
    return WrittenShown.of(found, name)


@calls.delete("/clusters/{cluster}/accesses/{access}/secrets", Permission.SECRET_WRITE)
def delete_secret(request: ApiRequest, cluster: str, access: str, name: Query[Name]) -> WrittenShown:
    """Delete a secret upstream, whoever uses it; get_secret tells who does."""
    found = _named(request, cluster, access, name)
    with _told():
        until = services.delete(access=found, name=name, by=request.user)
    return WrittenShown.of(found, name, until)


@calls.post(
    "/clusters/{cluster}/accesses/{access}/secrets/restore", Permission.SECRET_WRITE, status=200, once=False
)
def restore_secret(request: ApiRequest, cluster: str, access: str, name: Query[Name]) -> WrittenShown:
    """Bring a deleted secret back as it was, where its manager keeps it."""
    found = _named(request, cluster, access, name)
    with _told():
        services.restore(access=found, name=name, by=request.user)
    return WrittenShown.of(found, name)
