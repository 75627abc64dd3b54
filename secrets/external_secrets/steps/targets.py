"""What the steps need to know of target Secrets: the names of their keys and whether they changed, never a value.

Both are in a Secret's metadata, and the API server is asked for nothing else.
"""

from dataclasses import dataclass
from typing import Any

from clusters import addons, applying, kubernetes
from external_secrets import manifests
from external_secrets.models import ExternalSecret
from external_secrets.steps import state
from external_secrets.wanted import is_several, original

FOUND, HIDDEN, ASKED = (f"external_secrets.{name}" for name in ("targets", "hidden", "asked"))
_HASH = "reconcile.external-secrets.io/data-hash"
# With fewer it costs less to ask for each than to list those of a namespace.
_FEW = 5


@dataclass(frozen=True, slots=True)
class Target:
    """A target Secret: its keys, and what changes when its data does."""

    keys: tuple[str, ...]
    digest: str


def read(run: addons.Run, links: list[ExternalSecret]) -> None:
    """Look at the Secrets of links that need it: those of several values, and those whose services are restarted.

    What was found is for `of`; the names of keys are kept on the rows, those of a Secret that is gone stay.
    """
    roots = {
        state.key_of(link): original(link) for link in links if is_several(link) or link.restart_on_change
    }
    run.facts[HIDDEN], run.facts[ASKED] = set(), set(roots)
    run.facts[FOUND] = _look(run, sorted(roots))
    changed = []
    for key, link in roots.items():
        target = of(run, key)
        if target is not None and is_several(link) and link.seen_keys != list(target.keys):
            link.seen_keys = list(target.keys)
            changed.append(link)
    ExternalSecret.objects.bulk_update(changed, ["seen_keys"], batch_size=200)


def of(run: addons.Run, key: state.Key) -> Target | None:
    """Return what is known of a Secret; None when it is not there, or may not be looked at."""
    found: dict[state.Key, Target] = run.facts.get(FOUND, {})
    return found.get(key)


def look(run: addons.Run, key: state.Key) -> Target | None:
    """Return what is known of a Secret, and ask for it once when nobody did."""
    asked = run.facts.setdefault(ASKED, set())
    if key not in asked and of(run, key) is None:
        asked.add(key)
        answer = _ask(run, key)
        if answer is None:
            run.facts.setdefault(HIDDEN, set()).add(key)
        elif answer:
            run.facts.setdefault(FOUND, {})[key] = _target(answer)
    return of(run, key)


def is_hidden(run: addons.Run, key: state.Key) -> bool:
    """Tell whether a Secret may not be looked at."""
    return key in run.facts.get(HIDDEN, ())


def _look(run: addons.Run, keys: list[state.Key]) -> dict[state.Key, Target]:
    found: dict[state.Key, Target] = {}
    by_namespace: dict[str, list[state.Key]] = {}
    for key in keys:
        by_namespace.setdefault(key[0], []).append(key)
    for namespace, theirs in by_namespace.items():
        if len(theirs) >= _FEW:
            found |= _list(run, namespace)
    left = [key for key in keys if key not in found]
    for key, answer in zip(left, applying.gather(run, lambda key: _ask(run, key), left), strict=True):
        if answer is None:
            run.facts[HIDDEN].add(key)
        elif answer:
            found[key] = _target(answer)
    return found


def _list(run: addons.Run, namespace: str) -> dict[state.Key, Target]:
    label = f"{manifests.MANAGED_BY}={manifests.US}"
    try:
        items = run.door.list_all("v1", "Secret", namespace, label_selector=label)
    except kubernetes.Forbidden:
        return {}
    return {(namespace, item["metadata"]["name"]): _target(item) for item in items}


def _ask(run: addons.Run, key: state.Key) -> dict[str, Any] | None:
    """Return a Secret's metadata, something empty when it is not there, None when it may not be looked at."""
    try:
        return run.door.get("v1", "Secret", key[1], key[0]) or {}
    except kubernetes.Forbidden:
        return None


def _target(secret: dict[str, Any]) -> Target:
    metadata = secret["metadata"]
    keys: set[str] = set()
    for managed in metadata.get("managedFields") or []:
        data = (managed.get("fieldsV1") or {}).get("f:data") or {}
        keys |= {step[2:] for step in data if step.startswith("f:")}
    return Target(tuple(sorted(keys)), str((metadata.get("annotations") or {}).get(_HASH, "")))
