"""Making, testing, changing and removing accesses."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from accesses import providers, signals
from accesses.models import Access, AccessDraft
from accounts.audit import services as audit
from accounts.models import User
from clusters import services as clusters
from clusters.models import Cluster

SHOWN = 5


class NameTaken(ValueError):
    """The cluster already has an access of that name."""


class Changed(ValueError):
    """Somebody else changed the access since the form was shown."""


class InUse(ValueError):
    """Linked secrets use the access; they are named."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a test's result: `ok` None is “could not be tried”."""

    label: str
    ok: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a test of an access found; `usable` says whether it may be saved."""

    facts: list[Fact]
    usable: bool
    listed: bool
    reason: str = ""
    remedy: str = ""
    policy: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def connect(access: Access | AccessDraft) -> providers.SecretManager:
    """Return the secret manager as the access signs in to it."""
    return providers.PROVIDERS[access.provider].connect(access)


def try_access(access: Access | AccessDraft) -> Result:
    """Sign in and list names with the access's own identity; a failure is a result, not an exception."""
    provider = providers.PROVIDERS[access.provider]
    manager = connect(access)
    try:
        identity = manager.whoami()
    except providers.ProviderError as error:
        facts = [Fact("Sign in", False, error.reason), Fact("List secrets", None, "Not tried.")]
        return Result(facts, usable=False, listed=False, reason=error.reason, remedy=error.remedy)
    signed_in = Fact("Sign in", True, f"As {identity}")
    try:
        page = manager.page()
    except providers.PermissionMissing as error:
        facts = [signed_in, Fact("List secrets", False, f"Denied: missing {error.permission}")]
        return Result(
            facts,
            True,
            False,
            error.reason,
            "Names are then typed instead of browsed.",
            provider.listing_policy,
        )
    except providers.ProviderError as error:
        facts = [signed_in, Fact("List secrets", False, error.reason)]
        return Result(facts, usable=False, listed=False, reason=error.reason, remedy=error.remedy)
    names = ", ".join(entry.name for entry in page.entries[:SHOWN])
    more = " and more" if len(page.entries) > SHOWN or page.cursor else ""
    text = f"{names}{more}" if names else "There are no secrets in this region yet."
    return Result([signed_in, Fact("List secrets", True, text)], usable=True, listed=True)


def test_draft(draft: AccessDraft) -> Result:
    """Test a draft and keep the result on it."""
    result = try_access(draft)
    draft.result, draft.tested_at = result.as_json(), timezone.now()
    draft.save(update_fields=["result", "tested_at", "updated_at"])
    return result


def verify(access: Access) -> Result:
    """Test an access and keep on it when names were listed, or why not."""
    result = try_access(access)
    if result.listed:
        access.verified_at, access.verified_error, access.verified_remedy = timezone.now(), "", ""
    else:
        access.verified_error, access.verified_remedy = result.reason, result.remedy
    fields = {name: getattr(access, name) for name in ("verified_at", "verified_error", "verified_remedy")}
    Access.objects.filter(pk=access.pk).update(**fields)
    return result


def _announce(access: Access) -> None:
    transaction.on_commit(partial(signals.access_saved.send, sender=Access, access=access))


@transaction.atomic
def create(*, draft: AccessDraft, by: User) -> Access:
    """Make an access of a tested draft and end the draft.

    :raises NameTaken: the cluster has an access of that name
    """
    access = Access(
        cluster=draft.cluster,
        provider=draft.provider,
        method=draft.method,
        name=draft.name,
        configuration=draft.configuration,
        credential=draft.credential,
        credential_set_at=draft.credential_set_at,
        credential_set_by=str(by),
        namespaces=draft.namespaces,
        verified_at=draft.tested_at if draft.result.get("listed") else None,
        verified_error="" if draft.result.get("listed") else draft.result.get("reason", ""),
        verified_remedy="" if draft.result.get("listed") else draft.result.get("remedy", ""),
    )
    try:
        with transaction.atomic():
            access.save()
    except IntegrityError as error:
        raise NameTaken(f"{draft.cluster} already has an access named {draft.name}.") from error
    clusters.changed(access.cluster)
    audit.record(
        organization=access.cluster.organization,
        by=by,
        action="access.created",
        target=access,
        details=_details(access) | {"credential": "set"},
    )
    draft.delete()
    _announce(access)
    return access


def _details(access: Access) -> dict[str, Any]:
    return {
        "cluster": access.cluster.name,
        "provider": access.provider,
        "method": access.method,
        "configuration": access.configuration,
        "namespaces": access.namespaces,
    }


@transaction.atomic
def change(
    *,
    access: Access,
    configuration: dict[str, Any],
    credential: dict[str, str],
    namespaces: list[str],
    seen_version: int,
    by: User,
) -> Access:
    """Change an access that was tested with the new values.

    :raises Changed: somebody else changed it since version `seen_version`
    """
    live = Access.objects.select_for_update().select_related("cluster").get(pk=access.pk)
    if live.version != seen_version:
        raise Changed(
            "Somebody changed this access while you were here. Look at it again, then send the form once more."
        )
    renewed = credential != live.credential
    live.configuration, live.namespaces = configuration, namespaces
    if renewed:
        live.credential, live.credential_set_at, live.credential_set_by = credential, timezone.now(), str(by)
    live.version += 1
    live.save()
    clusters.changed(live.cluster)
    audit.record(
        organization=live.cluster.organization,
        by=by,
        action="access.changed",
        target=live,
        details=_details(live) | {"credential": "changed" if renewed else "kept"},
    )
    _announce(live)
    return live


@transaction.atomic
def delete(*, access: Access, by: User) -> None:
    """Remove an access that nothing uses; the next deploy removes its store.

    :raises InUse: linked secrets use it
    """
    cluster: Cluster = access.cluster
    organization, details, name = cluster.organization, _details(access), access.name
    try:
        with transaction.atomic():
            audit.record(
                organization=organization, by=by, action="access.deleted", target=access, details=details
            )
            access.delete()
    except ProtectedError as error:
        raise InUse(
            f"{len(error.protected_objects)} linked secrets use {name}; unlink them first."
        ) from error
    clusters.changed(cluster)
