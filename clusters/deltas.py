"""How two configurations differ: what was asked for between two deploys, object by object."""

from typing import Any

from clusters import applying
from clusters.addons import Change, Key, Manifest
from clusters.kubernetes import comparing
from clusters.models import Deploy


def between(before: list[Manifest], after: list[Manifest]) -> list[Change]:
    """Return what became of each object from one snapshot to another, without what stayed."""
    old, new = applying.by_key(before), applying.by_key(after)
    keys = [*new, *(key for key in old if key not in new)]
    changes = [_change(key, old.get(key), new.get(key)) for key in keys]
    return [change for change in changes if change.action != "unchanged"]


def _change(key: Key, old: Manifest | None, new: Manifest | None) -> Change:
    kind, namespace, name = key
    if old is None and new is not None:
        return applying.change_of(new, None)
    if old is not None and new is None:
        return applying.deletion(kind, name, namespace)
    fields = tuple(comparing.between(old or {}, new or {}))
    return Change("change" if fields else "unchanged", kind, name, namespace, fields)


def previous(deploy: Deploy) -> Deploy | None:
    """Return the last successful deploy of the cluster before this one."""
    earlier = Deploy.objects.filter(
        cluster=deploy.cluster_id, number__lt=deploy.number, kind=Deploy.Kind.DEPLOY, snapshot__isnull=False
    )
    return earlier.filter(status=Deploy.Status.SUCCEEDED).order_by("-number").first()


def since_last_success(deploy: Deploy) -> tuple[Deploy | None, list[Change]]:
    """Return the last successful deploy before this one, and how the configuration changed since."""
    before = previous(deploy)
    if deploy.snapshot is None:
        return before, []
    return before, between(before.snapshot if before and before.snapshot else [], deploy.snapshot)


def rows(changes: list[Change]) -> list[dict[str, Any]]:
    """Return changes as the template of changes takes them."""
    return [{"change": change} for change in changes]
