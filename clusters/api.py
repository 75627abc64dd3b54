"""The API's calls on clusters and their services."""

from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.views.decorators.debug import sensitive_variables
from ninja import Query
from pydantic import Field

from accounts.roles import Permission
from clusters import kubeconfig, kubernetes, services
from clusters.forms import CloudForm, NameForm
from clusters.models import Cluster, ConnectDraft, Service
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent, Shown
from config.api.paging import Page, Paging, cut
from credentials.clouds.errors import ProviderError

calls = Calls("Clusters")

CLOUD_FAILURES: dict[type[Exception], int] = {
    services.WrongAccount: 422,
    services.StillNeeded: 422,
    services.AnotherCluster: 422,
    services.AccountInUse: 409,
    services.Changed: 409,
}


class PermissionShown(Shown):
    """Something that the cluster lets the console do, or not."""

    label: str
    allowed: bool
    needed_for: str


class ClusterShown(Shown):
    """A connected cluster; its kubeconfig is never shown."""

    name: str
    kind: str = Field(description="`eks`, `gke`, `aks`, `kapsule`, or `kubeconfig` for any other.")
    server: str
    version: str
    region: str
    account: str
    issuer: str
    identity: str = Field(description="Who the console is in the cluster.")
    operator_namespace: str
    operator_version: str
    credential: str | None = Field(
        description="The cloud credential that deploys make roles with, by its name."
    )
    signs_in: str = Field(description="`kubeconfig`, or `credential`: by tokens of its cloud credential.")
    signs_in_until: datetime | None = Field(description="When its kubeconfig ends, as far as it tells.")
    status: str
    status_reason: str
    drift: str = Field(description="`never deployed`, `out of date` or `up to date`.")
    permissions: list[PermissionShown]
    seen_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, cluster: Cluster) -> Self:
        names = [name for name in cls.model_fields if name not in ("credential", "permissions", "drift")]
        facts = {name: getattr(cluster, name) for name in names}
        held = [PermissionShown.model_validate(one) for one in cluster.permissions]
        return cls.model_validate(
            facts
            | {
                "credential": cluster.credential.name if cluster.credential else None,
                "drift": cluster.drift.value,
                "permissions": held,
            }
        )


class ClusterSent(Sent):
    """A cluster to connect; it is tried before it is stored."""

    name: str = Field(examples=["payments-prod"])
    kubeconfig: str = Field(
        repr=False,
        max_length=kubeconfig.LARGEST,
        description="What `kubectl config view --raw --flatten --minify` prints. Stored encrypted, never shown.",
    )
    context: str = Field("", max_length=253, description="Which one, where the kubeconfig has several.")


class KubeconfigSent(Sent):
    """Another kubeconfig for a cluster that is connected; it is tried before it replaces the old one."""

    kubeconfig: str = Field(repr=False, max_length=kubeconfig.LARGEST)
    context: str = Field("", max_length=253, description="Which one, where the kubeconfig has several.")


class CloudSent(Sent):
    """What the console uses in the cluster's cloud."""

    credential: str = Field("", description="A cloud credential by its name; empty for none.")
    account: str = Field("", description="The AWS account; empty for the credential's.")


class ServiceShown(Shown):
    """A workload that was discovered in a cluster."""

    id: UUID
    namespace: str
    kind: str
    name: str
    containers: list[str]
    seen_at: datetime

    @classmethod
    def of(cls, service: Service) -> Self:
        names = ("id", "namespace", "kind", "name", "seen_at")
        facts = {name: getattr(service, name) for name in names}
        return cls.model_validate(facts | {"containers": service.container_names})


def visible(request: ApiRequest, permission: Permission = Permission.CLUSTER_VIEW) -> QuerySet[Cluster]:
    """Return the clusters on which something may be done."""
    within = Cluster.objects.within(request.organization, request.authority, permission)
    return within.select_related("credential")


def find(request: ApiRequest, cluster: str, permission: Permission = Permission.CLUSTER_VIEW) -> Cluster:
    """Return a cluster by its name, if something may be done there.

    :raises Http404: there is none
    """
    return get_object_or_404(visible(request, permission), name=cluster)


@sensitive_variables()
def _reduced(text: str, context: str) -> str:
    """Return the kubeconfig of one context.

    :raises problems.Problem: it can't be used, or has several contexts and none is named
    """
    try:
        return kubeconfig.reduce(text, context)
    except kubeconfig.SeveralContexts as error:
        raise problems.invalid("context", f"Name one of {', '.join(error.names)}.") from None
    except kubeconfig.KubeconfigRefused as error:
        raise problems.invalid("kubeconfig", str(error)) from None


def elsewhere(error: kubernetes.ClusterError | ProviderError) -> problems.Problem:
    """Return the problem that a cluster or a cloud did not do what was asked of it."""
    return problems.Problem(502, f"{error.reason} {error.remedy}")


@calls.get("/clusters", Permission.CLUSTER_VIEW)
def list_clusters(request: ApiRequest, page: Query[Paging], q: str = "") -> Page[ClusterShown]:
    """List the clusters, by name; `q` keeps those whose name holds a text."""
    rows = visible(request)
    return cut(
        request, rows.filter(name__icontains=q) if q else rows, page, by=["name"], shape=ClusterShown.of
    )


@calls.get("/clusters/{cluster}", Permission.CLUSTER_VIEW)
def get_cluster(request: ApiRequest, cluster: str) -> ClusterShown:
    """Show one cluster, by its name."""
    return ClusterShown.of(find(request, cluster))


@calls.post("/clusters", Permission.CLUSTER_MANAGE)
@sensitive_variables()
def connect_cluster(request: ApiRequest, sent: ClusterSent) -> ClusterShown:
    """Connect a cluster by a kubeconfig, which is tried first, and discover its services."""
    name = problems.checked(NameForm({"name": sent.name}))["name"]
    if not request.allows(Permission.CLUSTER_MANAGE, cluster=name):
        raise problems.invalid("name", f"Your roles do not cover a cluster named {name}.")
    text = _reduced(sent.kubeconfig, sent.context)
    try:
        with transaction.atomic(), problems.turning({services.NameTaken: 409}):
            draft = ConnectDraft.objects.create(
                organization=request.organization, by=request.user, kubeconfig=text
            )
            made = services.connect(draft=draft, name=name, by=request.user)
            draft.delete()
    except kubernetes.ClusterError as error:
        raise elsewhere(error) from None
    return ClusterShown.of(made)


@calls.post("/clusters/{cluster}/check", Permission.CLUSTER_VIEW, status=200)
def check_cluster(request: ApiRequest, cluster: str) -> ClusterShown:
    """Test the connection to a cluster now; what was found is in the answer."""
    services.check(find(request, cluster), by=request.user)
    return ClusterShown.of(find(request, cluster))


@calls.put("/clusters/{cluster}/kubeconfig", Permission.CLUSTER_MANAGE)
@sensitive_variables()
def replace_cluster_kubeconfig(request: ApiRequest, cluster: str, sent: KubeconfigSent) -> ClusterShown:
    """Replace a cluster's kubeconfig by one that works and is of the same cluster."""
    found = find(request, cluster, Permission.CLUSTER_MANAGE)
    text = _reduced(sent.kubeconfig, sent.context)
    try:
        with problems.turning({services.Changed: 409}):
            services.replace_kubeconfig(
                cluster=found, reduced=text, seen_version=found.updated_at.isoformat(), by=request.user
            )
    except kubernetes.ClusterError as error:
        raise elsewhere(error) from None
    return ClusterShown.of(find(request, cluster, Permission.CLUSTER_MANAGE))


@calls.put("/clusters/{cluster}/cloud", Permission.CLUSTER_MANAGE)
def choose_cluster_cloud(request: ApiRequest, cluster: str, sent: CloudSent) -> ClusterShown:
    """Choose the cloud credential with which deploys make roles, and the account that the cluster is in."""
    found = find(request, cluster, Permission.CLUSTER_MANAGE)
    form = CloudForm(found, sent.model_dump(), sees_credentials=request.allows(Permission.CREDENTIAL_VIEW))
    chosen = problems.checked(form)
    try:
        with problems.turning(CLOUD_FAILURES):
            services.use_credential(
                cluster=found, credential=chosen["credential"], account=chosen.get("account"), by=request.user
            )
    except (kubernetes.ClusterError, ProviderError) as error:
        raise elsewhere(error) from None
    return ClusterShown.of(find(request, cluster, Permission.CLUSTER_MANAGE))


@calls.delete("/clusters/{cluster}", Permission.CLUSTER_MANAGE)
def disconnect_cluster(request: ApiRequest, cluster: str) -> None:
    """Forget a cluster with its accesses and external secrets; what was deployed there stays."""
    with problems.turning({services.Busy: 409}):
        services.disconnect(cluster=find(request, cluster, Permission.CLUSTER_MANAGE), by=request.user)


@calls.get("/clusters/{cluster}/services", Permission.CLUSTER_VIEW)
def list_services(
    request: ApiRequest, cluster: str, page: Query[Paging], q: str = "", namespace: str = ""
) -> Page[ServiceShown]:
    """List the services of a cluster, by namespace and name; `q` keeps those whose name holds a text."""
    there = find(request, cluster).services.inside(request.authority, Permission.CLUSTER_VIEW)
    rows = there.filter(gone_at=None, name__icontains=q)
    rows = rows.filter(namespace=namespace) if namespace else rows
    return cut(request, rows, page, by=["namespace", "name"], shape=ServiceShown.of)


@calls.post("/clusters/{cluster}/services/refresh", Permission.CLUSTER_VIEW, status=200)
def refresh_services(request: ApiRequest, cluster: str) -> ClusterShown:
    """Discover the services of a cluster anew."""
    found = find(request, cluster)
    try:
        services.refresh_services(found)
    except kubernetes.ClusterError as error:
        raise elsewhere(error) from None
    return ClusterShown.of(find(request, cluster))
