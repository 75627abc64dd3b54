"""Beginning a rotation: new values are tried, then stored in one transaction with what they replace."""

import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.audit import services as audit
from accounts.models import User
from clusters.models import Rotation
from clusters.rotations import moving
from credentials import clouds
from credentials import services as credentials
from credentials.clouds.base import Facts, Method, Secret
from credentials.clouds.errors import NotPossibleHere
from credentials.models import CloudCredential


class CannotBe(ValueError):
    """What was asked for makes no sense for this rotation, now. `str()` says why."""


class Open(CannotBe):
    """The credential has a rotation that is not over."""


class OtherIdentity(CannotBe):
    """The new key is of another identity than the old one, and nobody said that this is meant."""


def method_of(credential: CloudCredential) -> Method | None:
    """Return the credential's method, or None where this version of the console does not know it."""
    try:
        return clouds.known(credential.cloud, credential.method)[1]
    except NotPossibleHere:
        return None


def why_not(credential: CloudCredential) -> str:
    """Return why there is nothing to rotate, or an empty string."""
    method = method_of(credential)
    if method is None:
        return "This version of Keyhaven does not know this kind of credential."
    if method.keyless:
        return "It has no key: each sign-in is a token that ends within the hour. There is nothing to rotate."
    return ""


def key_of(facts: Facts) -> str:
    """Return the ID of the key that facts are of; it is public."""
    return str(facts.get("key_id", ""))


def identity_of(facts: Facts) -> str:
    """Return whose key it is, in the cloud's words; not the key's own ID, which every key has for itself."""
    return str(
        next((facts[name] for name in ("arn", "email", "client", "application") if facts.get(name)), "")
    )


@sensitive_variables()
def begin(
    *,
    credential: CloudCredential,
    secret: Secret,
    given: Facts,
    by: User,
    other_identity: bool = False,
    until: datetime.datetime | None = None,
) -> Rotation:
    """Try new values, then store them and let the clusters move; the old ones are kept until the rotation ends.

    :raises ProviderError: the cloud refuses the new values, or does not answer
    :raises CannotBe: they are the old ones, or of another identity; or another rotation is open
    :raises credentials.InUse: they are of another account
    """
    _unless_open(credential)
    facts = credentials.identify(credential.organization, credential.cloud, credential.method, secret, given)
    _check(credential, secret, facts, other_identity)
    with transaction.atomic():
        rotation = open_one(credential, by, status=Rotation.Status.MOVING)
        adopt(rotation=rotation, secret=secret, facts=facts, by=by, until=until)
    return rotation


def _unless_open(credential: CloudCredential) -> None:
    if reason := why_not(credential):
        raise CannotBe(reason)
    if (rotation := credential.rotation) is not None:
        raise Open(f"{rotation.started_by} is rotating {credential.name} already.")


@sensitive_variables()
def _check(credential: CloudCredential, secret: Secret, facts: Facts, other_identity: bool) -> None:
    if secret == credential.secret or key_of(facts) == key_of(credential.facts) != "":
        raise CannotBe("This is the key that is stored already. Make a second one, and enter that.")
    new, old = identity_of(facts), identity_of(credential.facts)
    if new != old and not other_identity:
        raise OtherIdentity(
            f"The new key is of {new}, and {credential.name} is {old}. Make a second key of the same identity, "
            "or say that the other one is meant."
        )


def open_one(credential: CloudCredential, by: User, **fields: Any) -> Rotation:
    """Make the row of a rotation and tell of it; the database lets a credential have one at a time.

    :raises Open: another one is open
    """
    try:
        with transaction.atomic():
            rotation = Rotation.objects.create(
                credential=credential, started_by=str(by), old_facts=credential.facts, **fields
            )
    except IntegrityError as error:
        raise Open(f"Somebody else began to rotate {credential.name} a moment ago.") from error
    record(rotation, "rotation.started", by, {"made by": "Keyhaven" if rotation.made_here else "hand"})
    return rotation


@sensitive_variables()
@transaction.atomic
def adopt(
    *,
    rotation: Rotation,
    secret: Secret,
    facts: Facts,
    by: User,
    until: datetime.datetime | None = None,
) -> None:
    """Store new values, which were tried, in place of the old ones, which the rotation keeps; clusters begin to move.

    :raises credentials.Changed: the credential was changed since it was read
    :raises credentials.InUse: the new values are of another account
    """
    live = CloudCredential.objects.select_for_update(of=("self",)).get(pk=rotation.credential_id)
    rotation.old_secret, rotation.old_facts, rotation.new_facts = live.secret, live.facts, facts
    rotation.status = Rotation.Status.MOVING
    rotation.old_asked_at = None
    rotation.save()
    rotation.credential = credentials.replace(
        credential=live,
        secret=secret,
        facts=facts,
        seen_version=rotation.credential.version,
        by=by,
        until=until,
    )
    moving.plan(rotation)
    moving.settle(rotation)


def record(rotation: Rotation, action: str, by: User | None, details: dict[str, Any] | None = None) -> None:
    """Tell of a rotation in the audit log; by nobody, it is the worker's doing."""
    credential = rotation.credential
    audit.record(
        organization=credential.organization, by=by, action=action, target=credential, details=details or {}
    )


def locked(rotation: Rotation) -> Rotation:
    """Lock a rotation's row, which decides between two who press buttons at once, and return it as it is now."""
    rows = Rotation.objects.select_for_update(of=("self",)).select_related("credential__organization")
    return rows.get(pk=rotation.pk)


def end(rotation: Rotation, status: Rotation.Status, by: str, **fields: Any) -> None:
    """End a rotation; what the old key was is forgotten."""
    rotation.status, rotation.ended_by, rotation.ended_at = status, by, timezone.now()
    rotation.old_secret = None
    for name, value in fields.items():
        setattr(rotation, name, value)
    rotation.save()
