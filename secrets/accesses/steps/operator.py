"""The step that finds, installs or upgrades the External Secrets Operator and waits until it works."""

import time

from django.conf import settings
from django.utils import timezone

from accesses import chart, releases
from accesses.installed import CONFIGURATIONS, CONTROLLER, NAME_LABEL, Installed, annotations, find
from accesses.models import OperatorState
from accesses.releases import Release
from accesses.steps import proof, readiness
from clusters import addons, helm, kubernetes
from clusters.kubernetes import signing
from clusters.kubernetes.comparing import Field
from clusters.models import Cluster

RELEASE = chart.RELEASE
# Older ones let a template mint ServiceAccount tokens (CVE-2026-42876).
OLDEST = (2, 4, 1)
UPGRADE = "Upgrade it, one minor version at a time, then deploy again."


class Operator(addons.Step):
    """Adopts an operator that is there, installs the pinned chart where there is none, waits until it works.

    One that we installed is upgraded to the next minor, once somebody decided so; never an adopted one.
    """

    slug = "operator"
    label = "Operator"
    order = 30

    def plan(self, run: addons.Run) -> list[addons.Change]:
        found = find(run.door)
        if not found:
            return [_creation()]
        due = _due(found[0], _state(run.cluster))
        if due:
            return [_upgrade(found[0], due)]
        return [_led(found[0], run.cluster) if _differs(found[0], run.cluster) else _unchanged(found[0])]

    def apply(self, run: addons.Run) -> str:
        found = _the_one(run)
        proof.clear_leftovers(run, found.namespace if found else run.cluster.operator_namespace)
        before = _state(run.cluster)
        one, done = _bring(run, found, before)
        state = _keep(run.cluster, one, is_new=found != one)
        until = time.monotonic() + settings.OPERATOR_TIMEOUT
        readiness.wait(run, one, until)
        if state.proved_version != one.version:
            proof.prove(run, one, until)
            _proved(run.cluster, one)
        if before and before.wanted:
            _forget(run, one, before.wanted)
        return f"{done} External Secrets Operator {one.version} in {one.namespace}"


def _state(cluster: Cluster) -> OperatorState | None:
    return OperatorState.objects.filter(cluster=cluster).first()


def _the_one(run: addons.Run) -> Installed | None:
    """Return the operator that is there, which must be one and new enough."""
    found = find(run.door)
    if len(found) > 1:
        where = ", ".join(f"{one.version} in {one.namespace}" for one in found)
        raise addons.StepFailed(
            f"The cluster has {len(found)} operators: {where}.",
            "Remove all but one; two of them fight over the same objects.",
        )
    if not found:
        return None
    _refuse_old(found[0])
    whose = "this console installed it" if found[0].ours else "adopting it as it is"
    run.log("info", f"Found {found[0].version} in {found[0].namespace}; {whose}.")
    return found[0]


def _due(one: Installed, state: OperatorState | None) -> Release | None:
    """Return the minor that somebody decided to upgrade to; it is only ever the next one of an operator of ours."""
    due = releases.next_after(one.version)
    decided = state is not None and due is not None and state.wanted == due.chart
    return due if one.ours and decided else None


def _bring(run: addons.Run, found: Installed | None, state: OperatorState | None) -> tuple[Installed, str]:
    """Install or upgrade the operator, or leave it as it is; return it, and what was done."""
    if found is None:
        _refuse_strangers(run)
        run.log(
            "info",
            f"No operator found; installing chart {settings.OPERATOR_CHART_VERSION} "
            f"into {settings.OPERATOR_NAMESPACE}.",
        )
        return _helm(run, _creation(), settings.OPERATOR_CHART_VERSION), "Installed"
    due = _due(found, state)
    if due is None and found.ours and helm.broken(run.door, RELEASE, found.namespace):
        run.log("warning", "Helm was interrupted here; installing the same version once more.")
        again = addons.Change("change", "Release", RELEASE, found.namespace)
        return _helm(run, again, found.version.removeprefix("v")), "Repaired"
    if due is None and _differs(found, run.cluster):
        run.log("info", "The AWS-compatible endpoint differs; the chart is installed once more with it.")
        return _helm(run, _led(found, run.cluster), found.version.removeprefix("v")), "Changed"
    if due is None:
        run.record.settle([_unchanged(found)])
        return found, "Found" if found.ours else "Adopted"
    run.log("info", f"Upgrading from {found.version} to chart {due.chart}.")
    return _helm(run, _upgrade(found, due), due.chart), "Upgraded to"


def _helm(run: addons.Run, change: addons.Change, version: str) -> Installed:
    """Install a version of the chart over whatever there is of the release, and return what that brought."""
    where = chart.location(version)
    run.checkpoint()
    run.record.intend([change])
    try:
        helm.install_or_upgrade(
            signing.kubeconfig_of(run.cluster), release=RELEASE, namespace=change.namespace, chart=where,
            version=version, values=chart.values(run.cluster.aws_endpoint), timeout=settings.OPERATOR_TIMEOUT,
            alive=run.checkpoint,
        )  # fmt: skip
    except helm.HelmFailed as error:
        raise addons.StepFailed(error.reason, error.remedy) from error
    run.record.done([change])
    run.checkpoint()
    found = find(run.door)
    if not found:
        raise addons.StepFailed(
            "The chart was installed, but there is no operator in it.",
            "Check OPERATOR_CHART: it must be the chart of the External Secrets Operator.",
        )
    if change.action == "change" and found[0].numbers != releases.numbers(version):
        raise addons.StepFailed(
            f"Chart {version} was installed, but the operator is {found[0].version}.",
            "Check that OPERATOR_CHART leads to the chart of that version.",
        )
    run.log("info", f"The chart is installed: {found[0].version}.")
    return found[0]


def _creation() -> addons.Change:
    return addons.Change("create", "Release", RELEASE, settings.OPERATOR_NAMESPACE)


def _unchanged(one: Installed) -> addons.Change:
    return addons.Change("unchanged", "Release", RELEASE, one.namespace)


def _differs(one: Installed, cluster: Cluster) -> bool:
    """Tell whether our operator asks elsewhere than the cluster's AWS accesses are meant to."""
    return one.ours and one.endpoint != cluster.aws_endpoint


def _led(one: Installed, cluster: Cluster) -> addons.Change:
    field = Field("AWS-compatible endpoint", one.endpoint, cluster.aws_endpoint)
    return addons.Change("change", "Release", RELEASE, one.namespace, fields=(field,), restarts=True)


def _upgrade(one: Installed, due: Release) -> addons.Change:
    version = Field("version", one.version.removeprefix("v"), due.chart)
    return addons.Change("change", "Release", RELEASE, one.namespace, fields=(version,), restarts=True)


def _keep(cluster: Cluster, one: Installed, *, is_new: bool) -> OperatorState:
    """Keep what was found; a new operator, or one that is elsewhere now, has to prove itself again."""
    is_new = is_new or cluster.operator_namespace != one.namespace
    Cluster.objects.filter(pk=cluster.pk).update(
        operator_namespace=one.namespace, operator_version=one.version
    )
    cluster.operator_namespace, cluster.operator_version = one.namespace, one.version
    seen = {"adopted": not one.ours, "seen_at": timezone.now()} | ({"proved_version": ""} if is_new else {})
    state, _ = OperatorState.objects.update_or_create(cluster=cluster, defaults=seen)
    return state


def _proved(cluster: Cluster, one: Installed) -> None:
    OperatorState.objects.filter(cluster=cluster).update(proved_version=one.version, proved_at=timezone.now())


def _forget(run: addons.Run, one: Installed, wanted: str) -> None:
    """End a decision: it is carried out, or it is not the next minor any more. A newer decision stays."""
    OperatorState.objects.filter(cluster=run.cluster, wanted=wanted).update(wanted="")
    reached = (one.numbers or ()) >= (releases.numbers(wanted) or ())
    if not one.ours or not reached:
        why = "it is not the next minor" if one.ours else "somebody else looks after this operator"
        run.log("warning", f"The upgrade to {wanted} is forgotten: {why}.")


def _refuse_strangers(run: addons.Run) -> None:
    """Refuse to install beside webhooks of an operator that does not show itself by its label."""
    for name in CONFIGURATIONS:
        try:
            hook = run.door.get("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", name)
        except kubernetes.Forbidden:
            run.log(
                "warning",
                "Whether another operator is hidden here is unknown: reading webhooks is not allowed.",
            )
            return
        said = annotations(hook) if hook else {}
        ours = said.get("meta.helm.sh/release-name") == RELEASE and (
            said.get("meta.helm.sh/release-namespace") == settings.OPERATOR_NAMESPACE
        )
        if hook and not ours:
            raise addons.StepFailed(
                f"The cluster has the webhook {name}, but no Deployment labelled {NAME_LABEL}={CONTROLLER}.",
                "Give the operator's Deployment that label, or remove what is left of it; then deploy again.",
            )


def _refuse_old(one: Installed) -> None:
    oldest = ".".join(map(str, OLDEST))
    if one.numbers is None:
        raise addons.StepFailed(
            f"The operator in {one.namespace} does not say its version.",
            f"Keyhaven works with {oldest} or newer; give its image a version tag.",
        )
    if one.numbers < OLDEST:
        raise addons.StepFailed(
            f"The operator in {one.namespace} is {one.version}; older than {oldest} are not safe (CVE-2026-42876).",
            UPGRADE,
        )
