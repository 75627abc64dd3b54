"""Taking a rotation back: the old values are stored again, and clusters that had moved move once more."""

import time

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from clusters.models import Deploy, Move, Rotation
from clusters.rotations import making, moving, retiring, services
from credentials import services as credentials
from credentials.clouds.base import Facts
from credentials.clouds.errors import CredentialRefused, ProviderError

# An old key that was enabled a moment ago is known to its cloud after some seconds.
ENABLED_WITHIN = 10.0
PAUSE = 1.0


def take_back(*, rotation: Rotation, by: User) -> Rotation:
    """Store the old values again and return the rotation that goes on.

    Clusters that took the new key need a deploy to be rid of it: then a rotation in the other direction begins, in
    which the new key is the one to retire. Else this one is over, and a key that the console made is removed.

    :raises CannotBe: it is over, or the old key is gone
    :raises ProviderError: the old values do not work any more
    """
    with transaction.atomic():
        live = services.locked(rotation)
        if live.status not in (Rotation.Status.MOVING, Rotation.Status.CONFIRMING) or not live.old_secret:
            raise services.CannotBe("There is nothing to take back.")
        follower = _swap(live, _revived(live), by)
    if follower is None:
        making.remove_left(live)
    return follower or live


@sensitive_variables()
def _revived(live: Rotation) -> Facts:
    """Sign in with the old values, after the old key was enabled where it has to be, and return their facts."""
    credential = live.credential
    end = time.monotonic() + ENABLED_WITHIN
    if live.old == Rotation.Old.DISABLED:
        retiring.enable_for(credential, live)
        services.record(live, "rotation.old_enabled", None, {"key": services.key_of(live.old_facts)})
    while True:
        try:
            return credentials.identify(
                credential.organization, credential.cloud, credential.method, live.old_secret, live.old_facts
            )
        except ProviderError as error:
            waits = live.old == Rotation.Old.DISABLED and isinstance(error, CredentialRefused)
            if not waits or time.monotonic() + PAUSE > end:
                raise
        time.sleep(PAUSE)


@sensitive_variables()
def _swap(live: Rotation, facts: Facts, by: User) -> Rotation | None:
    """Store the old values in place of the new ones; return the rotation back, or None where nothing took those."""
    credential, old_secret = live.credential, live.old_secret
    new_secret, new_facts = credential.secret, credential.facts
    taken = [move.cluster_id for move in live.moves.all() if _has_taken(move)]
    left = {"left": "yes"} if live.made_here and not taken else {}
    services.end(
        live,
        Rotation.Status.UNDONE,
        str(by),
        old=Rotation.Old.ACTIVE,
        new_facts=new_facts | left,
    )
    services.record(live, "rotation.taken_back", by, {"clusters": len(taken)})
    live.credential = credentials.replace(
        credential=credential, secret=old_secret, facts=facts, seen_version=credential.version, by=by
    )
    if not taken:
        return None
    back = services.open_one(live.credential, by, status=Rotation.Status.MOVING, made_here=live.made_here)
    back.old_secret, back.old_facts, back.new_facts = new_secret, new_facts, facts
    back.save()
    moving.plan(back)
    # The others never had the new key, which is the one to retire now.
    back.moves.exclude(cluster__in=taken).update(moved_at=timezone.now())
    moving.settle(back)
    return back


def _has_taken(move: Move) -> bool:
    """Tell whether a deploy has begun that may have brought the new key, however it ended."""
    begun = move.cluster.deploys.filter(kind=Deploy.Kind.DEPLOY, started_at__isnull=False)
    return begun.filter(generation__gte=move.generation).exists()
