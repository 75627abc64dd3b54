"""Making, checking, changing and removing cloud credentials. What is stored was tried first."""

import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.debug import sensitive_variables

from accounts.audit import services as audit
from accounts.models import Organization, User
from credentials import clouds, signals, signing
from credentials.clouds.base import Facts, Secret
from credentials.clouds.errors import ProviderError
from credentials.models import OLD, CloudCredential

# So many of what uses a credential are named in a sentence.
SHOWN = 3


class NameTaken(ValueError):
    """The organization already has a credential of that name."""


class Changed(ValueError):
    """Somebody else changed the credential since the form was shown."""


class InUse(ValueError):
    """Clusters or accesses use what would go away."""


class Rotating(Changed, InUse):
    """A rotation of the credential is open; it knows both values, and nobody else may touch them until it ends."""


@sensitive_variables()
def identify(organization: Organization, cloud: str, method: str, secret: Secret, given: Facts) -> Facts:
    """Sign in to the cloud and return whose credential it is.

    :raises ProviderError: the cloud refuses it, or does not answer
    """
    _, way = clouds.known(cloud, method)
    return way.identify(secret, given | signing.spoken(organization))


def _times(facts: Facts, until: datetime.datetime | None) -> dict[str, Any]:
    """Return when a key was made and when it ends: what the cloud tells, or else what somebody said."""
    told = {name: parse_datetime(facts.get(name, "")) for name in ("made", "expires")}
    return {"made_at": told["made"], "expires_at": told["expires"] or until}


@sensitive_variables()
def create(
    *,
    organization: Organization,
    name: str,
    cloud: str,
    method: str,
    secret: Secret,
    given: Facts,
    by: User,
    until: datetime.datetime | None = None,
) -> CloudCredential:
    """Try a credential and store it; `until` is when it ends, where its cloud does not tell.

    :raises ProviderError: the cloud refuses it, or does not answer
    :raises NameTaken: the name is in use
    """
    now = timezone.now()
    facts = identify(organization, cloud, method, secret, given)
    credential = CloudCredential(
        organization=organization,
        name=name,
        cloud=cloud,
        method=method,
        facts=facts,
        rotate_days=None if clouds.known(cloud, method)[1].keyless else OLD.days,
        **_times(facts, until),
        set_at=now,
        set_by=str(by),
        checked_at=now,
        created_by=str(by),
    )
    credential.secret = secret
    with transaction.atomic():
        _save(credential)
        _record(credential, "credential.created", by, {"secret": "set"})
    return credential


def _save(credential: CloudCredential) -> None:
    try:
        with transaction.atomic():
            credential.save()
    except IntegrityError as error:
        raise NameTaken(f"There is a credential named {credential.name} already.") from error


def _record(credential: CloudCredential, action: str, by: User, more: dict[str, Any]) -> None:
    details = {"cloud": credential.cloud, "method": credential.method, **credential.facts, **more}
    audit.record(
        organization=credential.organization, by=by, action=action, target=credential, details=details
    )


def check(credential: CloudCredential, *, by: User | None = None) -> None:
    """Try a stored credential now and keep what was found, unless it was replaced meanwhile.

    Where a person asked for it, the audit log tells what came of it.
    """
    found: dict[str, Any] = {"check_error": "", "check_remedy": ""}
    try:
        facts = identify(
            credential.organization, credential.cloud, credential.method, credential.secret, credential.facts
        )
        found |= {"facts": facts} | _times(facts, credential.expires_at)
    except ProviderError as error:
        found = {"check_error": error.reason[:300], "check_remedy": error.remedy[:300]}
    same = CloudCredential.objects.filter(pk=credential.pk, version=credential.version)
    with transaction.atomic():
        same.update(checked_at=timezone.now(), **found)
        if by is not None and found.get("check_error"):
            _record(credential, "credential.test_failed", by, {"error": found["check_error"]})
        elif by is not None:
            _record(credential, "credential.tested", by, {})


@sensitive_variables()
def change(
    *, credential: CloudCredential, name: str, secret: Secret, given: Facts, seen_version: int, by: User
) -> bool:
    """Rename a credential or replace its secret, which is tried first; return whether anything differs.

    :raises Changed: somebody else changed it since version `seen_version`
    :raises ProviderError: the cloud refuses the new values, or does not answer
    :raises InUse: something uses it, and the new values belong to another account
    :raises NameTaken: the name is in use
    """
    _check_version(credential, seen_version)
    _unless_rotating(credential)
    renewed = secret != credential.secret or not given.items() <= credential.facts.items()
    if not renewed and name == credential.name:
        return False
    facts = (
        identify(credential.organization, credential.cloud, credential.method, secret, given)
        if renewed
        else None
    )
    _store(credential, name, (secret, facts) if facts else None, seen_version, by)
    return True


@sensitive_variables()
@transaction.atomic
def _store(
    credential: CloudCredential, name: str, new: tuple[Secret, Facts] | None, seen_version: int, by: User
) -> None:
    live = _locked(credential, seen_version)
    _unless_rotating(live)
    _write(live, name, new, by)


@sensitive_variables()
@transaction.atomic
def replace(
    *,
    credential: CloudCredential,
    secret: Secret,
    facts: Facts,
    seen_version: int,
    by: User,
    until: datetime.datetime | None = None,
) -> CloudCredential:
    """Replace what a credential signs in with by values that were tried just now, also while it is rotated.

    `until` is when they end, where the cloud does not tell.


    :raises Changed: somebody else changed it since version `seen_version`
    :raises InUse: something uses it, and the new values belong to another account
    """
    live = _locked(credential, seen_version)
    _write(live, live.name, (secret, facts), by, until)
    return live


def _locked(credential: CloudCredential, seen_version: int) -> CloudCredential:
    # FOR UPDATE: what would begin to use it waits, so that the account cannot change under it.
    live = CloudCredential.objects.select_for_update(of=("self",)).get(pk=credential.pk)
    _check_version(live, seen_version)
    return live


def _unless_rotating(credential: CloudCredential) -> None:
    if credential.rotation is not None:
        raise Rotating(f"{credential.name} is being rotated. End that rotation or take it back first.")


@sensitive_variables()
def _write(
    live: CloudCredential,
    name: str,
    new: tuple[Secret, Facts] | None,
    by: User,
    until: datetime.datetime | None = None,
) -> None:
    before = {"name": live.name, **live.facts}
    live.name = name
    if new is not None:
        secret, facts = new
        _keep_account(live, facts)
        live.secret, live.facts, live.set_at, live.set_by = secret, facts, timezone.now(), str(by)
        live.checked_at, live.check_error, live.check_remedy = timezone.now(), "", ""
        # What somebody said of the end of the old values does not hold for the new ones.
        live.made_at, live.expires_at = _times(facts, until).values()
    live.version += 1
    _save(live)
    after = {"name": live.name, **live.facts}
    told = audit.changes(before, after, {name: name for name in before | after})
    _record(live, "credential.changed", by, told | {"secret": "changed" if new else "kept"})
    if new is not None:
        signals.credential_replaced.send(sender=CloudCredential, credential=live)


def _check_version(credential: CloudCredential, seen: int) -> None:
    if credential.version != seen:
        raise Changed(
            f"Somebody changed this credential while you were here. It is now {credential.name}, "
            f"{credential.identity}. Send the form once more to replace that by what is below."
        )


def _keep_account(credential: CloudCredential, facts: Facts) -> None:
    """Keep the account while something relies on it: roles are made, and looked for, in that account."""
    new = CloudCredential(facts=facts).account
    if new != credential.account and (users := using(credential)):
        shown = ", ".join(users[:SHOWN]) + (f" and {len(users) - SHOWN} more" if len(users) > SHOWN else "")
        raise InUse(
            f"The new values are of the account {new}, but {credential.name} is used in {credential.account}: "
            f"by {shown}. Add another credential for the other account."
        )


def using(credential: CloudCredential) -> list[str]:
    """Return what uses a credential, in words."""
    clusters = [f"the cluster {cluster.name}" for cluster in credential.clusters.order_by("name")]
    accesses = credential.accesses.select_related("cluster").order_by("cluster__name", "name")
    made = credential.identities.select_related("cluster").order_by("cluster__name", "access_name")
    return [
        *clusters,
        *(f"the access {access.name} of {access.cluster.name}" for access in accesses),
        *(f"what was made for {one.access_name} of {one.cluster.name}" for one in made),
    ]


@transaction.atomic
def delete(*, credential: CloudCredential, by: User) -> None:
    """Remove a credential that nothing uses.

    :raises InUse: clusters or accesses use it, or it is being rotated
    """
    _unless_rotating(credential)
    try:
        with transaction.atomic():
            _record(credential, "credential.deleted", by, {})
            credential.delete()
            # What began to use it this very moment is refused here and not at the commit.
            connection.check_constraints()
    except (ProtectedError, IntegrityError) as error:
        raise InUse(f"{credential.name} is in use; take it out there first.") from error
