"""Making, testing, changing and removing accesses."""

import datetime
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accesses import providers, signals
from accesses.models import Access, AccessDraft
from accounts.audit import services as audit
from accounts.models import User
from clusters import services as clusters
from clusters.models import Cluster

SHOWN = 5

FORGOTTEN = datetime.timedelta(days=7)


class NameTaken(ValueError):
    """The cluster already has an access of that name."""


class NotUsable(ValueError):
    """The draft was not tested, or its credential does not work."""


class Changed(ValueError):
    """Somebody else changed the access since the form was shown."""


class InUse(ValueError):
    """Linked secrets use what would go away; they are counted."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a test's result: `ok` None is “could not be tried”."""

    label: str
    ok: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a test of an access found; `usable` says whether it may be saved, `names` are the first few seen."""

    facts: list[Fact]
    usable: bool
    listed: bool
    refused: bool = False
    reason: str = ""
    remedy: str = ""
    policy: str = ""
    names: list[str] = field(default_factory=list)
    more: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def connect(access: Access | AccessDraft) -> providers.SecretManager:
    """Return the secret manager as the access signs in to it."""
    return providers.PROVIDERS[access.provider].connect(access)


def try_access(access: Access | AccessDraft) -> Result:
    """List names with the access's own identity; a failure is a result, not an exception."""
    manager = connect(access)
    try:
        page = manager.page()
    except providers.PermissionMissing as error:
        facts = [_signed_in(manager), Fact("List secrets", False, f"Denied: missing {error.permission}")]
        remedy = f"{error.remedy} Until then names are typed instead of browsed."
        return Result(facts, True, False, reason=error.reason, remedy=remedy, policy=error.policy)
    except providers.CredentialRefused as error:
        facts = [Fact("Sign in", False, error.reason), Fact("List secrets", None, "")]
        return Result(facts, False, False, refused=True, reason=error.reason, remedy=error.remedy)
    except providers.ProviderError as error:
        facts = [Fact("Sign in", None, ""), Fact("List secrets", False, error.reason)]
        return Result(facts, False, False, reason=error.reason, remedy=error.remedy)
    names = [entry.name for entry in page.entries]
    more = len(names) > SHOWN or bool(page.cursor)
    text = "" if names else "There are no secrets there yet."
    facts = [_signed_in(manager), Fact("List secrets", True, text)]
    return Result(facts, True, True, names=names[:SHOWN], more=more)


def _signed_in(manager: providers.SecretManager) -> Fact:
    """Say as whom; that it worked is known already, so that not being told is no failure."""
    try:
        return Fact("Sign in", True, f"As {manager.whoami()}")
    except providers.ProviderError:
        return Fact("Sign in", True, "The identity's name could not be read.")


def test_draft(draft: AccessDraft) -> Result:
    """Test a draft and keep the result on it, unless the draft was changed meanwhile."""
    result = try_access(draft)
    same, at = AccessDraft.objects.filter(pk=draft.pk, updated_at=draft.updated_at), timezone.now()
    if same.update(result=result.as_json(), tested_at=at):
        draft.result, draft.tested_at = result.as_json(), at
    return result


def verify(access: Access) -> Result:
    """Test an access and keep on it what was found."""
    return keep(access, try_access(access))


def keep(access: Access, result: Result) -> Result:
    """Keep on an access what a test of it found."""
    found = _verification(result.as_json(), timezone.now())
    Access.objects.filter(pk=access.pk, version=access.version).update(**found)
    return result


def _verification(result: dict[str, Any], at: Any) -> dict[str, Any]:
    """Return what an access keeps of a test: not the names, which not everybody who sees it may see."""
    found = {
        "result": result | {"names": []},
        "tested_at": at,
        "verified_error": "" if result["listed"] else result["reason"],
        "verified_remedy": "" if result["listed"] else result["remedy"],
    }
    return found | ({"verified_at": at} if result["listed"] else {})


def _announce(access: Access) -> None:
    # Robust: what listens must not turn a change that is made into an error page.
    transaction.on_commit(partial(signals.access_saved.send_robust, sender=Access, access=access))


def begin(*, cluster: Cluster, by: User) -> AccessDraft:
    """Return a draft for the wizard: the person's own that is still empty, or a new one.

    Drafts that nobody touched for a week end here: they hold credentials.
    """
    AccessDraft.objects.filter(updated_at__lt=timezone.now() - FORGOTTEN).delete()
    empty = AccessDraft.objects.filter(cluster=cluster, by=by, provider="").first()
    return empty or AccessDraft.objects.create(cluster=cluster, by=by)


@sensitive_variables()
@transaction.atomic
def create(*, draft: AccessDraft, by: User) -> Access:
    """Make an access of a tested draft and end the draft; the access has the draft's id.

    :raises NotUsable: it was not tested as it is now, or its credential does not work
    :raises NameTaken: the cluster has an access of that name
    :raises AccessDraft.DoesNotExist: it was made an access already
    """
    draft = AccessDraft.objects.select_for_update(of=("self",)).select_related("cluster").get(pk=draft.pk)
    if not draft.result.get("usable") or draft.tested_at is None:
        raise NotUsable(draft.result.get("reason") or "Test the access first.")
    access = Access(
        id=draft.pk,
        cluster=draft.cluster,
        provider=draft.provider,
        method=draft.method,
        name=draft.name,
        configuration=draft.configuration,
        credential=draft.credential,
        credential_set_at=draft.credential_set_at,
        credential_set_by=str(by),
        namespaces=draft.namespaces,
        **_verification(draft.result, draft.tested_at),
    )
    try:
        with transaction.atomic():
            access.save(force_insert=True)
    except IntegrityError as error:
        raise NameTaken(f"{draft.cluster} already has an access named {draft.name}.") from error
    clusters.changed(access.cluster)
    _record(access, "access.created", by, {"credential": "set"})
    draft.delete()
    _announce(access)
    return access


def _record(access: Access, action: str, by: User, more: dict[str, Any]) -> None:
    details = {
        "cluster": access.cluster.name,
        "provider": access.provider,
        "method": access.method,
        **_public(access.configuration, access.namespaces),
        **more,
    }
    organization = access.cluster.organization
    audit.record(organization=organization, by=by, action=action, target=access, details=details)


@sensitive_variables()
@transaction.atomic
def change(
    *,
    access: Access,
    configuration: dict[str, Any],
    credential: dict[str, str],
    namespaces: list[str],
    result: Result | None,
    seen_version: int,
    by: User,
) -> bool:
    """Change an access that was tested with the new values; return whether anything differs.

    `result` None says that neither the configuration nor the credential is new.

    :raises Changed: somebody else changed it since version `seen_version`
    :raises InUse: a service of a namespace that would be shut out has a linked secret
    """
    live = Access.objects.select_for_update(of=("self",)).select_related("cluster").get(pk=access.pk)
    check_version(live, seen_version)
    _keep_namespaces_in_use(live, namespaces)
    renewed = credential != live.credential
    before, after = _public(live.configuration, live.namespaces), _public(configuration, namespaces)
    if not renewed and after == before:
        return False
    live.configuration, live.namespaces = configuration, sorted(namespaces)
    if result is not None:
        for name, value in _verification(result.as_json(), timezone.now()).items():
            setattr(live, name, value)
    if renewed:
        live.credential, live.credential_set_at, live.credential_set_by = credential, timezone.now(), str(by)
    live.version += 1
    live.save()
    clusters.changed(live.cluster)
    was = {f"{name} before": value for name, value in before.items() if after.get(name) != value}
    _record(live, "access.changed", by, was | {"credential": "changed" if renewed else "kept"})
    _announce(live)
    return True


def compared(access: Access, configuration: dict[str, Any], namespaces: list[str]) -> list[dict[str, str]]:
    """Return where an access differs from what a person sent: `[{"name", "stored", "sent"}]`, never a credential."""
    stored, sent = _public(access.configuration, access.namespaces), _public(configuration, namespaces)
    return [
        {"name": name, "stored": str(stored.get(name, "")), "sent": str(value)}
        for name, value in sent.items()
        if value != stored.get(name)
    ]


def _public(configuration: dict[str, Any], namespaces: list[str]) -> dict[str, Any]:
    return configuration | {"namespaces": ", ".join(sorted(namespaces))}


def check_version(access: Access, seen: int) -> None:
    """Refuse a form that was made from an older version.

    :raises Changed: the access is not what the person saw
    """
    if access.version != seen:
        now = ", ".join([*map(str, access.configuration.values()), f"open to {', '.join(access.namespaces)}"])
        raise Changed(
            f"Somebody changed this access while you were here. It is now: {now}. "
            "Send the form once more to replace that by what is below."
        )


def _keep_namespaces_in_use(access: Access, namespaces: list[str]) -> None:
    shut = access.external_secrets.exclude(service__namespace__in=namespaces)
    used = sorted(set(shut.values_list("service__namespace", flat=True)))
    if used:
        raise InUse(f"Services of {', '.join(used)} have linked secrets from here. Unlink them first.")


@transaction.atomic
def delete(*, access: Access, by: User) -> None:
    """Remove an access that nothing uses; the next deploy removes its store.

    :raises InUse: linked secrets use it
    """
    cluster: Cluster = access.cluster
    try:
        with transaction.atomic():
            _record(access, "access.deleted", by, {})
            access.delete()
            # A link that was made this very moment is refused here and not at the commit.
            connection.check_constraints()
    except ProtectedError as error:
        linked = len(error.protected_objects)
        words = f"{linked} linked secret uses" if linked == 1 else f"{linked} linked secrets use"
        raise InUse(f"{words} {access.name}; unlink them first.") from error
    except IntegrityError as error:
        raise InUse(f"A linked secret uses {access.name}; unlink them first.") from error
    clusters.changed(cluster)
