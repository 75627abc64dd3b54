"""The API's calls on a cluster's operator."""

from datetime import datetime
from typing import Self

from pydantic import Field

from accesses import operators, releases
from accesses.models import OperatorState
from accesses.views import operator as pages
from accounts.roles import Permission
from clusters import deploys, kubernetes
from clusters.api import elsewhere, find
from clusters.api_deploys import DeployWhole
from clusters.models import Cluster
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent, Shown

calls = Calls("Operator")
FAILURES: dict[type[Exception], int] = {operators.NotPossible: 409, deploys.CannotBe: 409}


class OperatorShown(Shown):
    """The operator, as deploys found it."""

    found: bool = Field(description="A deploy has found one, or has installed it.")
    version: str
    namespace: str
    adopted: bool = Field(description="Somebody else installed it, and looks after it.")
    wanted: str = Field(description="The chart version that the next deploy upgrades to.")
    next_version: str = Field(description="The chart version that it can be upgraded to next; empty: none.")
    proved_version: str = Field(description="The version that a deploy saw at work.")
    proved_at: datetime | None
    seen_at: datetime | None

    @classmethod
    def of(cls, cluster: Cluster) -> Self:
        state = OperatorState.objects.filter(cluster=cluster).first()
        following = releases.next_after(cluster.operator_version) if state else None
        return cls(
            found=state is not None,
            version=cluster.operator_version,
            namespace=cluster.operator_namespace,
            adopted=state is not None and state.adopted,
            wanted=state.wanted if state else "",
            next_version=following.chart if following else "",
            proved_version=state.proved_version if state else "",
            proved_at=state.proved_at if state else None,
            seen_at=state.seen_at if state else None,
        )


class UpgradeSent(Sent):
    """To which chart version; it has to be the one that follows."""

    version: str = Field(max_length=40, examples=["2.9.0"])


class UninstallSent(Sent):
    """The cluster's name once more, so that nobody does it to another one."""

    confirm: str = Field(max_length=40, description="The cluster's name.")


class StoppedShown(Shown):
    """An external secret that nobody would refresh any more."""

    namespace: str
    name: str
    store: str
    ours: bool


class StopsShown(Shown):
    """What would stop without the operator."""

    items: list[StoppedShown]
    hidden: int = Field(description="How many more there are that the token may not see.")


def _stops(cluster: Cluster) -> list[operators.Stopped]:
    """Return what would stop; without knowing that, nothing is uninstalled.

    :raises problems.Problem: the operator is not ours, or the cluster does not say
    """
    if refusal := pages.why_not_ours(cluster):
        raise problems.Problem(409, refusal)
    try:
        return operators.what_stops(cluster)
    except kubernetes.ClusterError as error:
        raise elsewhere(error) from None


@calls.get("/clusters/{cluster}/operator", Permission.ACCESS_VIEW)
def get_operator(request: ApiRequest, cluster: str) -> OperatorShown:
    """Show the operator of a cluster, whoever installed it."""
    return OperatorShown.of(find(request, cluster, Permission.ACCESS_VIEW))


@calls.put("/clusters/{cluster}/operator/upgrade", Permission.ACCESS_MANAGE)
def request_operator_upgrade(request: ApiRequest, cluster: str, sent: UpgradeSent) -> OperatorShown:
    """Decide that the next deploy upgrades the operator."""
    found = find(request, cluster, Permission.ACCESS_MANAGE)
    with problems.turning(FAILURES):
        operators.request_upgrade(cluster=found, version=sent.version, by=request.user)
    return OperatorShown.of(find(request, cluster, Permission.ACCESS_MANAGE))


@calls.delete("/clusters/{cluster}/operator/upgrade", Permission.ACCESS_MANAGE)
def withdraw_operator_upgrade(request: ApiRequest, cluster: str) -> OperatorShown:
    """Take the decision to upgrade back."""
    found = find(request, cluster, Permission.ACCESS_MANAGE)
    with problems.turning(FAILURES):
        operators.withdraw_upgrade(cluster=found, by=request.user)
    return OperatorShown.of(find(request, cluster, Permission.ACCESS_MANAGE))


@calls.post("/clusters/{cluster}/operator/prove", Permission.ACCESS_MANAGE, status=200)
def prove_operator(request: ApiRequest, cluster: str) -> OperatorShown:
    """Have the next deploy prove that the operator works."""
    found = find(request, cluster, Permission.ACCESS_MANAGE)
    with problems.turning(FAILURES):
        operators.prove_again(cluster=found, by=request.user)
    return OperatorShown.of(find(request, cluster, Permission.ACCESS_MANAGE))


@calls.get("/clusters/{cluster}/operator/stops", Permission.CLUSTER_MANAGE)
def list_operator_stops(request: ApiRequest, cluster: str) -> StopsShown:
    """List what would stop without the operator, by a look at the cluster."""
    found = find(request, cluster, Permission.CLUSTER_MANAGE)
    told = pages.told(request, found, _stops(found))
    return StopsShown(
        items=[StoppedShown.model_validate(one) for one in told["stops"]], hidden=told["hidden"]
    )


@calls.post("/clusters/{cluster}/operator/uninstall", Permission.CLUSTER_MANAGE)
def uninstall_operator(request: ApiRequest, cluster: str, sent: UninstallSent) -> DeployWhole:
    """Ask for the deploy that uninstalls the operator; nothing is refreshed any more after it."""
    found = find(request, cluster, Permission.CLUSTER_MANAGE)
    if sent.confirm != found.name:
        raise problems.invalid("confirm", "This is not the cluster's name.")
    _stops(found)
    with problems.turning(FAILURES):
        return DeployWhole.of(deploys.uninstall(cluster=found, by=request.user))
