"""Having the operator read again now what it would read later."""

from collections.abc import Collection

from django.utils import timezone

from clusters import addons, applying
from external_secrets import manifests
from external_secrets.steps import state

ANNOTATION = "force-sync"


def mark() -> dict[str, str]:
    """Return the annotation that makes the operator read at once; any that is new does."""
    return {ANNOTATION: timezone.now().isoformat(timespec="milliseconds")}


def annotate(run: addons.Run, keys: Collection[state.Key], annotations: dict[str, str]) -> None:
    """Annotate external secrets that are there, several at a time.

    :raises ClusterError: one of them could not be
    """
    for _ in applying.gather(
        run,
        lambda key: run.door.annotate(manifests.API, manifests.KIND, key[1], key[0], annotations),
        keys,
    ):
        pass
