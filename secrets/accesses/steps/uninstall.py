"""The step that uninstalls the operator that we installed, and leaves what it made."""

from typing import Any

from django.conf import settings

from accesses import chart, manifests
from accesses.installed import Installed, annotations, find
from accesses.models import OperatorState
from accesses.steps import proof
from accesses.steps.stores import SYNCED
from clusters import addons, helm, kubernetes
from clusters.kubernetes import signing
from clusters.models import Cluster

GROUP = "external-secrets.io"
# Helm's mark on what a release made.
_RELEASED = "meta.helm.sh/release-name"
_KINDS = ("CustomResourceDefinition", "ClusterSecretStore", "SecretStore", "ExternalSecret", "Secret")

# Names by kind; a kind that we may not list is not in it.
type Kept = dict[str, set[str]]


class Uninstall(addons.Step):
    """Uninstalls the release, after making sure that the CRDs stay, and with them stores and Secrets."""

    slug = "uninstall"
    label = "Uninstall operator"
    order = 30

    def plan(self, run: addons.Run) -> list[addons.Change]:
        return [_deletion(one.namespace) for one in find(run.door) if one.ours]

    def apply(self, run: addons.Run) -> str:
        namespace = _namespace(run, find(run.door))
        if not namespace:
            _forget(run.cluster)
            return "There is no operator to uninstall"
        _refuse_without_keep(run)
        proof.clear_leftovers(run, namespace)
        before = _kept(run)
        run.checkpoint()
        run.record.intend([_deletion(namespace)])
        try:
            helm.uninstall(
                signing.kubeconfig_of(run.cluster),
                release=chart.RELEASE,
                namespace=namespace,
                timeout=settings.OPERATOR_TIMEOUT,
            )
        except helm.HelmFailed as error:
            raise addons.StepFailed(error.reason, error.remedy) from error
        run.record.done([_deletion(namespace)])
        _forget(run.cluster)
        _say_what_stays(run, before, _kept(run))
        return f"Uninstalled the External Secrets Operator from {namespace}; what it made stays"


class UninstallLast(Uninstall):
    """The same as the end of a run that removes everything: until then the operator is needed; one of others stays."""

    order = 78

    def apply(self, run: addons.Run) -> str:
        theirs = [one for one in find(run.door) if not one.ours]
        if theirs:
            return f"The operator in {theirs[0].namespace} is not ours: it stays"
        return super().apply(run)


def _deletion(namespace: str) -> addons.Change:
    return addons.Change("delete", "Release", chart.RELEASE, namespace)


def _namespace(run: addons.Run, found: list[Installed]) -> str:
    """Return the namespace of our release, or an empty string when nothing is left of it.

    A turn that broke off may have left a release without its Deployment: then we go by what we knew of it.
    """
    ours = [one for one in found if one.ours]
    if ours:
        return ours[0].namespace
    if found:
        raise addons.StepFailed(
            f"The operator {found[0].version} in {found[0].namespace} is not ours: somebody else installed it.",
            "Uninstall it in the way in which it was installed.",
        )
    known = OperatorState.objects.filter(cluster=run.cluster, adopted=False).exists()
    return run.cluster.operator_namespace if known else ""


def _crds(run: addons.Run) -> list[dict[str, Any]]:
    found = run.door.list_all("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    return [item for item in found if f".{item['spec']['group']}".endswith(f".{GROUP}")]


def _refuse_without_keep(run: addons.Run) -> None:
    """Refuse when Helm would delete a CRD, and with it every object of its kind."""
    lost = [item["metadata"]["name"] for item in _crds(run) if not _is_kept(item)]
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise addons.StepFailed(
            f"Uninstalling would delete the kind {lost[0]}{more}, and with it every store, external secret and "
            f"Secret made of them: the release does not say {chart.POLICY}: {chart.KEEP}.",
            f"Upgrade the release with crds.annotations set to {chart.POLICY}: {chart.KEEP}, then uninstall again.",
        )


def _is_kept(crd: dict[str, Any]) -> bool:
    """Tell whether the release itself keeps a CRD: Helm goes by its own record, not by what others annotate.

    So the policy has to be written by the one who wrote the release's name. What no release made is kept anyway.
    """
    said = annotations(crd)
    if _RELEASED not in said:
        return True
    return said.get(chart.POLICY) == chart.KEEP and any(
        {f"f:{chart.POLICY}", f"f:{_RELEASED}"} <= _annotated(entry).keys()
        for entry in crd["metadata"].get("managedFields") or []
    )


def _annotated(entry: dict[str, Any]) -> dict[str, Any]:
    metadata = (entry.get("fieldsV1") or {}).get("f:metadata") or {}
    return metadata.get("f:annotations") or {}


def _kept(run: addons.Run) -> Kept:
    """Return what has to be there afterwards as before: CRDs, stores, external secrets and the Secrets of these."""
    kept = {"CustomResourceDefinition": {item["metadata"]["name"] for item in _crds(run)}}
    for kind in _KINDS[1:]:
        secrets = kind == "Secret"
        try:
            found = run.door.list_all(
                "v1" if secrets else manifests.API,
                kind,
                label_selector=f"{SYNCED}=true" if secrets else None,
            )
        except kubernetes.KindMissing:
            found = []
        except kubernetes.Forbidden:
            run.log("info", f"Not allowed to list every {kind}; that they stay is not checked.")
            continue
        kept[kind] = {_path(item) for item in found}
    return kept


def _path(item: dict[str, Any]) -> str:
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else metadata["name"]


def _say_what_stays(run: addons.Run, before: Kept, after: Kept) -> None:
    """Log what stays.

    :raises StepFailed: something went that should have stayed
    """
    gone = [
        f"{kind} {name}" for kind, names in before.items() for name in sorted(names - after.get(kind, names))
    ]
    if gone:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        raise addons.StepFailed(
            f"The operator is uninstalled, but {gone[0]}{more} went with it.",
            "Deploy: it installs the operator and brings back what is configured here.",
        )
    stays = ", ".join(f"{len(names)} × {kind}" for kind, names in after.items() if names)
    run.log("info", f"What stays: {stays}.")
    run.log("warning", "The Secrets stay as they are and are no longer refreshed.")


def _forget(cluster: Cluster) -> None:
    Cluster.objects.filter(pk=cluster.pk).update(operator_version="")
    cluster.operator_version = ""
    OperatorState.objects.filter(cluster=cluster).delete()
