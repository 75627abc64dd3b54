"""The console makes the new key itself. The row is committed before the key is made, so that none is lost."""

import datetime
import logging
import time
from functools import partial

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from kombu.exceptions import OperationalError

from accounts.audit import origin
from accounts.models import User
from accounts.roles import Permission
from clusters import permits, tasks
from clusters.models import Rotation
from clusters.rotations import services
from credentials import services as credentials
from credentials import signing
from credentials.clouds.base import Facts, Keyring, Secret
from credentials.clouds.errors import CredentialRefused, PermissionMissing, ProviderError
from credentials.models import CloudCredential

logger = logging.getLogger(__name__)

# Clouds know a new key after some seconds: AWS after about ten, Google after a minute or so.
KNOWN_WITHIN = 90.0
PAUSE, LONGEST_PAUSE = 0.5, 5.0
# A worker that took it so long ago, or none that did, is not to be waited for.
LOST = datetime.timedelta(minutes=4)
# A clock of ours and a cloud's may differ by so much.
SKEW = datetime.timedelta(minutes=5)


def keyring_of(credential: CloudCredential) -> Keyring | None:
    method = services.method_of(credential)
    return method.keyring if method else None


def _ring(credential: CloudCredential) -> Keyring:
    ring = keyring_of(credential)
    if ring is None:
        raise services.CannotBe("Keyhaven makes no keys of this kind. Make one in the cloud and enter it.")
    return ring


def ask(*, credential: CloudCredential, by: User) -> Rotation:
    """Have a worker make a new key and store it.

    :raises CannotBe: the console makes no keys of this kind, or a rotation is open
    :raises ProviderError: the cloud does not let the identity see its keys, or does not answer
    """
    ring = _ring(credential)
    if credential.rotation is not None:
        raise services.Open(f"{credential.rotation.started_by} is rotating {credential.name} already.")
    # What is missing is said before anything begins.
    ring.keys(signing.session(credential), signing.facts_of(credential))
    with transaction.atomic():
        rotation = services.open_one(credential, by, status=Rotation.Status.MAKING, made_here=True)
        transaction.on_commit(partial(_send, rotation, by))
    return rotation


def _send(rotation: Rotation, by: User) -> None:
    try:
        tasks.make_key.delay(rotation_id=str(rotation.pk), user_id=by.pk)
    except OperationalError:
        logger.warning("The broker is away; rotation %s will be given up.", rotation.pk)


def make(rotation_id: str, user_id: int) -> None:
    """Make the key, wait until the cloud knows it, store it; or end the rotation and remove what was made."""
    rows = Rotation.objects.filter(pk=rotation_id, status=Rotation.Status.MAKING, old_asked_at=None)
    # While the key is made, this is when a worker took it; a second message finds it taken.
    if not rows.update(old_asked_at=timezone.now()):
        return
    rotation = Rotation.objects.select_related("credential__organization").get(pk=rotation_id)
    with origin.of_worker(rotation_id):
        try:
            _make(rotation, _permitted(rotation, user_id))
        except ProviderError as error:
            give_up(rotation, f"{error.reason} {error.remedy}")
        except ValueError as error:
            # Somebody changed the credential meanwhile, or may not rotate it any more: our own sentences.
            give_up(rotation, str(error))


def _permitted(rotation: Rotation, user_id: int) -> User:
    authority = permits.of(rotation.credential, user_id)
    user = User.objects.filter(pk=user_id).first()
    if user is None or not authority.allows(Permission.CREDENTIAL_MANAGE):
        raise services.CannotBe(f"{rotation.started_by} may no longer rotate this credential.")
    return user


@sensitive_variables()
def _make(rotation: Rotation, by: User) -> None:
    credential = rotation.credential
    ring = _ring(credential)
    session, facts = signing.session(credential), signing.facts_of(credential)
    known = " ".join(key.id for key in ring.keys(session, facts))
    _note(rotation, {"known": known})
    secret, made = ring.make(session, facts)
    _note(rotation, made | {"known": known})
    services.record(rotation, "rotation.key_made", by, {"key": services.key_of(made)})
    found = _until_known(credential, secret, made)
    with transaction.atomic():
        live = services.locked(rotation)
        if live.status != Rotation.Status.MAKING:
            return
        live.credential = credential
        services.adopt(rotation=live, secret=secret, facts=found, by=by)


def _note(rotation: Rotation, facts: Facts) -> None:
    rotation.new_facts = facts
    Rotation.objects.filter(pk=rotation.pk, status=Rotation.Status.MAKING).update(new_facts=facts)


@sensitive_variables()
def _until_known(credential: CloudCredential, secret: Secret, made: Facts) -> Facts:
    """Sign in with a new key until the cloud knows it, and return whose it is.

    :raises ProviderError: it still refuses it after KNOWN_WITHIN seconds
    """
    end, pause = time.monotonic() + KNOWN_WITHIN, PAUSE
    while True:
        try:
            given = credential.facts | made
            return credentials.identify(
                credential.organization, credential.cloud, credential.method, secret, given
            )
        except ProviderError as error:
            passes = error.retryable or isinstance(error, CredentialRefused)
            if not passes or time.monotonic() + pause > end:
                raise
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.5)


def give_up(rotation: Rotation, reason: str) -> None:
    """End a rotation whose key could not be made or stored; what was made is removed, now or by the next sweep."""
    with transaction.atomic():
        live = services.locked(rotation)
        if live.status != Rotation.Status.MAKING:
            return
        left = live.new_facts | {"left": "yes"} if "known" in live.new_facts else {}
        services.end(live, Rotation.Status.UNDONE, "Keyhaven", error=reason[:300], new_facts=left)
        services.record(live, "rotation.key_failed", None, {"error": reason[:300]})
    remove_left(live)


def sweep_lost() -> int:
    """End what no worker finishes any more; return how many."""
    long_ago = timezone.now() - LOST
    making = Rotation.objects.filter(status=Rotation.Status.MAKING, started_at__lt=long_ago)
    lost = [
        row
        for row in making.select_related("credential__organization")
        if row.old_asked_at is None or row.old_asked_at < long_ago
    ]
    for rotation in lost:
        with origin.of_worker(str(rotation.pk)):
            give_up(rotation, "The worker that made the key was lost. Begin anew: nothing was replaced.")
    return len(lost)


def sweep_left() -> int:
    """Remove the keys that ended rotations have left in the cloud; return how many rotations were looked at."""
    rows = Rotation.objects.filter(status=Rotation.Status.UNDONE, new_facts__has_key="left")
    found = list(rows.select_related("credential__organization"))
    for rotation in found:
        with origin.of_worker(str(rotation.pk)):
            remove_left(rotation)
    return len(found)


def remove_left(rotation: Rotation) -> None:
    """Remove from the cloud what the console made for a rotation that was ended; what passes is tried again later."""
    if "left" not in rotation.new_facts:
        return
    credential = CloudCredential.objects.select_related("organization").get(pk=rotation.credential_id)
    ring = keyring_of(credential)
    removed = ""
    try:
        if ring is not None:
            removed = _remove(rotation, credential, ring)
    except ProviderError as error:
        if error.retryable:
            return
        gone = PermissionMissing if isinstance(error, PermissionMissing) else ProviderError
        key = services.key_of(rotation.new_facts) or "a key that is not stored here"
        word = "may not" if gone is PermissionMissing else "could not"
        rotation.error = f"{rotation.error} Keyhaven {word} remove {key}: delete it in the cloud by hand."[
            :300
        ]
    kept = {name: value for name, value in rotation.new_facts.items() if name not in ("left", "known")}
    Rotation.objects.filter(pk=rotation.pk).update(new_facts=kept, error=rotation.error)
    if removed:
        services.record(rotation, "rotation.key_removed", None, {"key": removed})


def _remove(rotation: Rotation, credential: CloudCredential, ring: Keyring) -> str:
    """Remove the key that was made, and return its ID; the one that is stored is never touched.

    A worker that was lost before it could write down the ID has left exactly one key that was not there before.
    """
    session, facts = signing.session(credential), signing.facts_of(credential)
    key = services.key_of(rotation.new_facts)
    if not key and "known" in rotation.new_facts:
        known = {*rotation.new_facts["known"].split(), services.key_of(credential.facts)}
        since = rotation.started_at - SKEW
        fresh = [
            one.id
            for one in ring.keys(session, facts)
            if one.id not in known and (one.made_at is None or one.made_at >= since)
        ]
        key = fresh[0] if len(fresh) == 1 else ""
        if len(fresh) > 1:
            raise ProviderError("More than one key was made since.")
    if not key or key == services.key_of(credential.facts):
        return ""
    ring.remove(session, facts, key)
    return key
