"""What is not ours and has the name that we would use: it is never taken over."""

from collections.abc import Iterator
from typing import Any

from clusters import addons, applying, kubernetes
from external_secrets import manifests
from external_secrets.steps import state


def refusals(run: addons.Run, keys: list[state.Key]) -> dict[state.Key, tuple[str, str]]:
    """Return why objects of these names may not be made: (reason, remedy) by (namespace, name).

    The operator would take over a Secret that is there and clear its other keys.
    """
    return {key: why for key, why in zip(keys, _look(run, keys), strict=True) if why}


def _look(run: addons.Run, keys: list[state.Key]) -> Iterator[tuple[str, str] | None]:
    # With few it costs less to ask for each than to list everything in their namespaces.
    if len(keys) < 5:
        yield from applying.gather(run, lambda key: _ask(run, key), keys)
        return
    there = {_key(item) for item in _list(run, manifests.API, manifests.KIND, None)}
    secrets: dict[state.Key, dict[str, Any]] = {}
    unlisted: set[str] = set()
    for namespace in sorted({key[0] for key in keys}):
        try:
            secrets |= {_key(item): item for item in _list(run, "v1", "Secret", namespace)}
        except kubernetes.Forbidden:
            unlisted.add(namespace)
    asked = [key for key in keys if key[0] in unlisted]
    answers = dict(zip(asked, applying.gather(run, lambda key: _ask(run, key), asked), strict=True))
    for key in keys:
        yield answers[key] if key in answers else _why(run, key, key in there, secrets.get(key))


def _list(run: addons.Run, api_version: str, kind: str, namespace: str | None) -> list[dict[str, Any]]:
    try:
        return run.door.list_all(api_version, kind, namespace)
    except kubernetes.KindMissing:
        return []


def _key(item: dict[str, Any]) -> state.Key:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _ask(run: addons.Run, key: state.Key) -> tuple[str, str] | None:
    namespace, name = key
    found = run.door.get(manifests.API, manifests.KIND, name, namespace)
    try:
        secret = run.door.get("v1", "Secret", name, namespace)
    except kubernetes.Forbidden:
        # Names end in the link's own id; without the right to look, that has to do.
        secret = None
    return _why(run, key, found is not None, secret)


def _why(
    run: addons.Run, key: state.Key, is_there: bool, secret: dict[str, Any] | None
) -> tuple[str, str] | None:
    namespace, name = key
    if is_there:
        return (
            f"{namespace} has an ExternalSecret {name} that Keyhaven did not make for this cluster.",
            "Remove it, or unlink and link again: the new link has another name.",
        )
    if secret is not None and not _is_ours(run, secret, name):
        return (
            f"{namespace} has a Secret {name} that Keyhaven did not make, and the operator would overwrite it.",
            "Remove that Secret, or unlink and link again: the new link has another name.",
        )
    return None


def _is_ours(run: addons.Run, secret: dict[str, Any], name: str) -> bool:
    metadata = secret["metadata"]
    labels = metadata.get("labels") or {}
    owners = metadata.get("ownerReferences") or []
    labelled = labels.get(manifests.MANAGED_BY) == manifests.US and labels.get(manifests.CLUSTER) == str(
        run.cluster.pk
    )
    return labelled or any(
        owner.get("kind") == manifests.KIND and owner.get("name") == name for owner in owners
    )
