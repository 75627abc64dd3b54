"""The step that makes an ExternalSecret of each link."""

from typing import Any

from django.utils import timezone

from clusters import addons, kubernetes
from external_secrets import manifests
from external_secrets.models import ExternalSecret
from external_secrets.steps import state


class ApplyExternalSecrets:
    """Applies one ExternalSecret per link.

    Those of links that are gone are deleted at the end of `inject`: while a workload still names the Secret, its
    deletion would keep new pods from starting.
    """

    slug = "external-secrets"
    label = "External secrets"
    order = 60

    def plan(self, run: addons.Run) -> list[addons.Change]:
        ours, _ = state.split(run, state.every_console(run))
        changes = []
        for link in state.links_of(run):
            namespace, name = key = state.key_of(link)
            if key not in ours:
                action: Any = "create"
            else:
                action = "change" if run.door.changes(manifests.external_secret(link)) else "unchanged"
            changes.append(addons.Change(action, manifests.KIND, name, namespace))
        return changes

    def apply(self, run: addons.Run) -> str:
        links = state.links_of(run)
        ours, _ = state.split(run, state.every_console(run))
        failures: list[state.Failure] = []
        forced: set[state.Key] = set()
        applied = 0
        for link in links:
            run.checkpoint()
            try:
                applied += _bring(run, link, ours, forced)
            except _Refused as error:
                failures.append(state.Failure(link, error.reason, error.remedy))
            except (kubernetes.Invalid, kubernetes.Conflict, kubernetes.Forbidden) as error:
                failures.append(state.Failure(link, error.reason, error.remedy))
            except kubernetes.KindMissing:
                raise
            except kubernetes.NotFound as error:
                failures.append(state.Failure(link, error.reason, error.remedy))
        run.facts[state.FORCED] = forced
        for failure in failures:
            state.fail(run, failure)
        if failures:
            raise state.step_failed(failures, len(links))
        unchanged = len(links) - applied
        return f"{applied} external secret{'' if applied == 1 else 's'} applied, {unchanged} unchanged"


class _Refused(Exception):
    """Applying would take over what is not ours."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


def _bring(run: addons.Run, link: ExternalSecret, ours: state.Objects, forced: set[state.Key]) -> bool:
    """Apply a link's ExternalSecret if that changes something, and tell whether it did."""
    manifest = manifests.external_secret(link)
    key = state.key_of(link)
    live = ours.get(key)
    if live is None:
        _refuse_foreign(run, *key)
    elif not run.door.changes(manifest):
        if state.ready(live).get("status") == "False":
            _try_again(run, key)
            forced.add(key)
        return False
    run.door.apply(manifest)
    run.log("info", f"Applied the external secret of {state.title(link)}.")
    return True


def _try_again(run: addons.Run, key: state.Key) -> None:
    """Have the operator read again now: after a failure it waits up to seven minutes by itself."""
    namespace, name = key
    now = timezone.now().isoformat(timespec="seconds")
    run.door.annotate(manifests.API, manifests.KIND, name, namespace, {"force-sync": now})


def _refuse_foreign(run: addons.Run, namespace: str, name: str) -> None:
    """Refuse to take over an ExternalSecret or a Secret of our name that somebody else made.

    The operator would take such a Secret over and clear its other keys.
    """
    if run.door.get(manifests.API, manifests.KIND, name, namespace) is not None:
        raise _Refused(
            f"{namespace} has an ExternalSecret {name} that Keyhaven did not make for this cluster.",
            "Remove it, or unlink and link again: the new link has another name.",
        )
    secret = run.door.get("v1", "Secret", name, namespace)
    if secret is not None and not _is_ours(run, secret, name):
        raise _Refused(
            f"{namespace} has a Secret {name} that Keyhaven did not make, and the operator would overwrite it.",
            "Remove that Secret, or unlink and link again: the new link has another name.",
        )


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
