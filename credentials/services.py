"""Making, checking, changing and removing cloud credentials. What is stored was tried first."""

import dataclasses
import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.debug import sensitive_variables

from accounts.audit import services as audit
from accounts.models import Organization, User
from credentials import clouds, rules, signals, signing
from credentials.clouds.base import Facts, Secret
from credentials.clouds.errors import ProviderError
from credentials.models import OLD, CloudCredential
from credentials.rules import InUse

__all__ = ["Changed", "InUse", "NameTaken", "change", "check", "create", "delete", "identify"]


class NameTaken(ValueError):
    """The organization already has a credential of that name."""


class Changed(ValueError):
    """Somebody else changed the credential since the form was shown."""


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
        record(credential, "credential.created", by, {"secret": "set"})
    return credential


def _save(credential: CloudCredential) -> None:
    try:
        with transaction.atomic():
            credential.save()
    except IntegrityError as error:
        raise NameTaken(f"There is a credential named {credential.name} already.") from error


def record(credential: CloudCredential, action: str, by: User, more: dict[str, Any]) -> None:
    details = {"cloud": credential.cloud, "method": credential.method, **credential.facts, **more}
    audit.record(
        organization=credential.organization, by=by, action=action, target=credential, details=details
    )


def check(credential: CloudCredential, *, by: User | None = None) -> ProviderError | None:
    """Try a stored credential now, keep what was found, unless it was replaced meanwhile, and return what is wrong.

    Where a person asked for it, the audit log tells what came of it.
    """
    found: dict[str, Any] = {"check_error": "", "check_remedy": ""}
    wrong: ProviderError | None = None
    try:
        facts = identify(
            credential.organization, credential.cloud, credential.method, credential.secret, credential.facts
        )
        found |= {"facts": facts} | _times(facts, credential.expires_at)
    except ProviderError as error:
        wrong, found = error, {"check_error": error.reason[:300], "check_remedy": error.remedy[:300]}
    same = CloudCredential.objects.filter(pk=credential.pk, version=credential.version)
    with transaction.atomic():
        same.update(checked_at=timezone.now(), **found)
        if by is not None and wrong is not None:
            record(credential, "credential.test_failed", by, {"error": found["check_error"]})
        elif by is not None:
            record(credential, "credential.tested", by, {})
    return wrong


@dataclasses.dataclass(frozen=True, slots=True)
class _New:
    """What a credential is to sign in with, once it was tried."""

    method: str
    secret: Secret = dataclasses.field(repr=False)
    facts: Facts
    until: datetime.datetime | None


@sensitive_variables()
def change(
    *,
    credential: CloudCredential,
    name: str,
    secret: Secret,
    given: Facts,
    seen_version: int,
    by: User,
    method: str = "",
    until: datetime.datetime | None = None,
) -> bool:
    """Rename a credential or replace its secret, which is tried first; return whether anything differs.

    With `method` it signs in in another way from now on; `until` is when the new values end, where the cloud does not
    tell.

    :raises Changed: somebody else changed it since version `seen_version`
    :raises ProviderError: the cloud refuses the new values, or does not answer
    :raises InUse: something uses it, and the new values belong to another account, or accesses need the keys it had
    :raises NameTaken: the name is in use
    """
    _check_version(credential, seen_version)
    _unless_rotating(credential)
    way = method or credential.method
    renewed = (
        way != credential.method
        or secret != credential.secret
        or not given.items() <= credential.facts.items()
    )
    if not renewed and name == credential.name:
        return False
    new = None
    if renewed:
        facts = identify(credential.organization, credential.cloud, way, secret, given)
        new = _New(way, secret, facts, until)
    _store(credential, name, new, seen_version, by)
    return True


@sensitive_variables()
@transaction.atomic
def _store(credential: CloudCredential, name: str, new: _New | None, seen_version: int, by: User) -> None:
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
    _write(live, live.name, _New(live.method, secret, facts, until), by)
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
def _write(live: CloudCredential, name: str, new: _New | None, by: User) -> None:
    before = {"name": live.name, "method": live.method, **live.facts}
    live.name = name
    if new is not None:
        rules.keep_account(live, new.facts)
        rules.keep_method(live, new.method)
        _renew(live, new, by)
    live.version += 1
    _save(live)
    after = {"name": live.name, "method": live.method, **live.facts}
    told = audit.changes(before, after, {name: name for name in before | after})
    record(live, "credential.changed", by, told | {"secret": "changed" if new else "kept"})
    if new is not None:
        signals.credential_replaced.send(sender=CloudCredential, credential=live)


@sensitive_variables()
def _renew(live: CloudCredential, new: _New, by: User) -> None:
    way = clouds.known(live.cloud, new.method)[1]
    if new.method != live.method:
        live.rotate_days = None if way.keyless else OLD.days
    live.method, live.secret, live.facts = new.method, new.secret, new.facts
    for field, value in _times(new.facts, new.until).items():
        setattr(live, field, value)
    live.set_at, live.set_by = timezone.now(), str(by)
    live.checked_at, live.check_error, live.check_remedy = timezone.now(), "", ""


def _check_version(credential: CloudCredential, seen: int) -> None:
    if credential.version != seen:
        raise Changed(
            f"Somebody changed this credential while you were here. It is now {credential.name}, "
            f"{credential.identity}. Send the form once more to replace that by what is below."
        )


@transaction.atomic
def delete(*, credential: CloudCredential, by: User) -> None:
    """Remove a credential that nothing uses; one that is gone already is left at that.

    :raises InUse: clusters or accesses use it, or it is being rotated
    """
    # FOR UPDATE: whoever is about to use it is waited for.
    live = CloudCredential.objects.select_for_update(of=("self",)).filter(pk=credential.pk).first()
    if live is None:
        return
    _unless_rotating(live)
    try:
        with transaction.atomic():
            record(live, "credential.deleted", by, {})
            live.delete()
            # What began to use it this very moment is refused here and not at the commit.
            connection.check_constraints()
    except (ProtectedError, IntegrityError) as error:
        raise InUse(f"{credential.name} is in use; take it out there first.") from error
