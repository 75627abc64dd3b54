"""The end of the old key: confirmed unused, disabled, which can be taken back, then deleted."""

import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from clusters.models import Rotation
from clusters.rotations import making, services
from credentials import signing
from credentials.clouds.base import Facts, Keyring, Session
from credentials.clouds.errors import NotPossibleHere, ProviderError
from credentials.models import CloudCredential

# Clouds tell of uses late, AWS some minutes: what was asked sooner says nothing of the time since the last move.
GRACE = datetime.timedelta(minutes=15)


def keyring_of(rotation: Rotation) -> Keyring | None:
    """Return what retires the old key; None where a person has to, as for the key of another identity."""
    same = services.identity_of(rotation.old_facts) == services.identity_of(rotation.credential.facts)
    return making.keyring_of(rotation.credential) if same and services.key_of(rotation.old_facts) else None


def hands(rotation: Rotation) -> tuple[Keyring, Session, Facts, str]:
    """Return what acts on the old key: with the new one, which is of the same identity.

    :raises CannotBe: the console cannot retire it
    :raises ProviderError: the cloud does not let the new key sign in
    """
    ring = keyring_of(rotation)
    if ring is None:
        raise services.CannotBe("Keyhaven cannot retire this key. Remove it in the cloud, then say so here.")
    credential = rotation.credential
    facts = signing.facts_of(credential)
    return ring, signing.session(credential), facts, services.key_of(rotation.old_facts)


def ask(rotation: Rotation) -> Rotation:
    """Ask the cloud when the old key was used last, and keep the answer, or why there is none."""
    found: dict[str, Any]
    try:
        ring, session, facts, key = hands(rotation)
        used = ring.used(session, facts, key)
    except ProviderError as error:
        found = {"error": f"{error.reason} {error.remedy}"[:300]}
    else:
        found = {"old_used_at": used, "old_asked_at": timezone.now(), "error": ""}
    still = Rotation.objects.filter(pk=rotation.pk, status=Rotation.Status.CONFIRMING)
    still.update(**found)
    for name, value in found.items():
        setattr(rotation, name, value)
    return rotation


def used_since(rotation: Rotation) -> bool:
    """Tell whether the old key was used after the last cluster had moved, as far as the cloud has told."""
    return (
        rotation.old_used_at is not None
        and rotation.moved_at is not None
        and rotation.old_used_at > rotation.moved_at
    )


def quiet_at(rotation: Rotation) -> datetime.datetime | None:
    """Return from when on the cloud's answer covers all that happened until the last cluster had moved."""
    ring = keyring_of(rotation)
    late = max(GRACE, ring.lag) if ring else GRACE
    return rotation.moved_at + late if rotation.moved_at else None


def doubt(rotation: Rotation) -> str:
    """Return why the old key may still be in use, or an empty string once the cloud says that it is not."""
    after = quiet_at(rotation)
    if rotation.status != Rotation.Status.CONFIRMING or after is None:
        return "Not all clusters have moved to the new key."
    if used_since(rotation):
        return "The old key was used after the last cluster had moved: something outside of these clusters has it."
    if rotation.old_asked_at is None:
        return "It is not known whether the old key is still used."
    if rotation.old_asked_at < after:
        return f"{_late(rotation)} Ask again after {after:%H:%M} UTC{_on(after)}."
    return ""


def _late(rotation: Rotation) -> str:
    ring = keyring_of(rotation)
    if ring and ring.lag >= datetime.timedelta(days=1):
        return f"This cloud tells of uses up to {ring.lag.days} days late."
    return "Clouds tell of uses some minutes late."


def _on(at: datetime.datetime) -> str:
    return "" if at - timezone.now() < datetime.timedelta(hours=12) else f" on {at.day} {at:%B}"


def _confirming(rotation: Rotation, *old: Rotation.Old) -> Rotation:
    live = services.locked(rotation)
    if live.status != Rotation.Status.CONFIRMING:
        raise services.CannotBe(
            "The rotation is over."
            if live.status in Rotation.OVER
            else "Not all clusters have moved to the new key."
        )
    if live.old not in old:
        raise services.CannotBe(f"The old key is in another state by now: {live.get_old_display().lower()}.")
    return live


# The row stays locked while the cloud acts: nobody may take the rotation back meanwhile. What the cloud does twice
# is no error, so a worker that is lost in between leaves nothing that a second try does not mend.


@transaction.atomic
def disable(*, rotation: Rotation, by: User) -> None:
    """Disable the old key in the cloud; `enable` takes that back.

    :raises CannotBe: clusters still need it, or the console cannot do it
    :raises ProviderError: the cloud does not let us
    """
    live = _confirming(rotation, Rotation.Old.ACTIVE)
    ring, session, facts, key = hands(live)
    ring.disable(session, facts, key)
    _now(live, Rotation.Old.DISABLED, "rotation.old_disabled", by)


@transaction.atomic
def enable(*, rotation: Rotation, by: User) -> None:
    """Enable the old key again.

    :raises CannotBe: it is not disabled
    :raises ProviderError: the cloud does not let us
    """
    live = _confirming(rotation, Rotation.Old.DISABLED)
    ring, session, facts, key = hands(live)
    ring.enable(session, facts, key)
    _now(live, Rotation.Old.ACTIVE, "rotation.old_enabled", by)


def _now(live: Rotation, old: Rotation.Old, action: str, by: User) -> None:
    live.old = old
    live.save(update_fields=["old"])
    services.record(live, action, by, {"key": services.key_of(live.old_facts)})


def delete(*, rotation: Rotation, by: User, override: bool = False) -> None:
    """Delete the old key, which is disabled, and end the rotation: from now on nothing can be taken back.

    The cloud is asked once more whether it was used; `override` deletes it whatever the answer is.

    :raises CannotBe: it is not disabled, or may still be in use
    :raises ProviderError: the cloud does not let us
    """
    ask(rotation)
    with transaction.atomic():
        live = _confirming(rotation, Rotation.Old.DISABLED)
        if (why := doubt(live)) and not override:
            raise services.CannotBe(f"{why} Nothing was deleted.")
        ring, session, facts, key = hands(live)
        ring.remove(session, facts, key)
        services.record(live, "rotation.old_deleted", by, {"key": key, "override": bool(why)})
        _finish(live, Rotation.Old.DELETED, by)


@transaction.atomic
def by_hand(*, rotation: Rotation, by: User) -> None:
    """End the rotation because a person has removed the old key in the cloud.

    :raises CannotBe: clusters still need it
    """
    live = _confirming(rotation, Rotation.Old.ACTIVE, Rotation.Old.DISABLED)
    _finish(live, Rotation.Old.BY_HAND, by)


def _finish(live: Rotation, old: Rotation.Old, by: User) -> None:
    services.end(live, Rotation.Status.DONE, str(by), old=old, confirmed_by=str(by), error="")
    services.record(live, "rotation.finished", by, {"old key": live.get_old_display().lower()})


def enable_for(credential: CloudCredential, rotation: Rotation) -> None:
    """Enable the old key before a rotation is taken back, where the console can.

    :raises ProviderError: the cloud does not let us
    """
    if keyring_of(rotation) is None:
        raise NotPossibleHere("Keyhaven cannot enable this key.", "Enable it in the cloud, then try again.")
    ring, session, facts, key = hands(rotation)
    ring.enable(session, facts, key)
