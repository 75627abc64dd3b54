"""The API's calls on what uses an access, and on moving that to another one."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from pydantic import Field

from accesses import users
from accesses.api import find as find_access
from accesses.models import Access
from accounts.roles import Permission
from clusters.models import Service
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent, Shown
from external_secrets import forms, moving
from external_secrets.api.shapes import Counted, ServiceName
from external_secrets.models import ExternalSecretQuerySet
from external_secrets.views import usage

calls = Calls("Accesses")
VIEW, MANAGE = Permission.EXTERNAL_SECRET_VIEW, Permission.EXTERNAL_SECRET_MANAGE
# As many as the tree names; counts are of all.
MOST = 5000


class ServiceUse(Shown):
    """A service, or with null what every service of the namespace has; and how many external secrets these are."""

    service: ServiceName | None
    count: int


class NamespaceUse(Shown):
    """A namespace with external secrets of an access."""

    namespace: str
    count: int
    services: list[ServiceUse]


class AccessUse(Shown):
    """Who uses an access, as far as the token may see."""

    count: int
    namespaces: list[NamespaceUse]


class TargetShown(Shown):
    """Another access of the cluster, and whether external secrets can move there."""

    access: str
    possible: bool
    obstacle: str
    unknown: list[str] = Field(description="Names that its inventory does not have.")


class TargetsShown(Shown):
    """Where external secrets can move to, what fits best first."""

    items: list[TargetShown]


class MoveSent(Sent):
    """Which external secrets of an access move to which other one."""

    target: str = Field(max_length=40, description="An access of the same cluster, by its name.")
    namespace: str = Field("", max_length=63, description="Only those of a namespace.")
    service: UUID | None = Field(None, description="Only those of a service.")


@calls.get("/clusters/{cluster}/accesses/{access}/usage", Permission.EXTERNAL_SECRET_VIEW)
def get_access_usage(request: ApiRequest, cluster: str, access: str) -> AccessUse:
    """Show which services use an access; the list of external secrets has each, with `access` and `cluster`."""
    found = find_access(request, cluster, access, VIEW)
    seen = usage.links_of(request, found, VIEW)
    return AccessUse(count=seen.count(), namespaces=[_namespace(one) for one in users.tree(seen, MOST)])


def _namespace(one: dict[str, Any]) -> NamespaceUse:
    services = [
        ServiceUse(
            service=ServiceName.of(branch["service"]) if branch["service"] else None,
            count=branch["count"],
        )
        for branch in one["services"]
    ]
    return NamespaceUse(namespace=one["name"], count=one["count"], services=services)


@calls.get("/clusters/{cluster}/accesses/{access}/targets", Permission.EXTERNAL_SECRET_MANAGE)
def list_move_targets(request: ApiRequest, cluster: str, access: str) -> TargetsShown:
    """List to which other accesses of the cluster the external secrets of one can move, and why not."""
    found = find_access(request, cluster, access, MANAGE)
    targets = usage.find_targets(request, found, usage.links_of(request, found, MANAGE))
    return TargetsShown(
        items=[
            TargetShown(
                access=one.access.name,
                possible=not one.obstacle,
                obstacle=f"{one.obstacle} {one.remedy}".strip(),
                unknown=one.unknown,
            )
            for one in targets
        ]
    )


@calls.post("/clusters/{cluster}/accesses/{access}/move", Permission.EXTERNAL_SECRET_MANAGE, status=200)
def move_external_secrets(request: ApiRequest, cluster: str, access: str, sent: MoveSent) -> Counted:
    """Move the external secrets of an access to another one: all or none; the next deploy changes where each reads."""
    found = find_access(request, cluster, access, MANAGE)
    links = _chosen(request, found, sent)
    form = forms.MoveForm(usage.find_targets(request, found, links), {"target": sent.target})
    target = problems.checked(form)["target"].access
    with problems.turning({moving.NotPossible: 409}):
        chosen = list(links.values_list("pk", flat=True))
        return Counted(count=moving.move(source=found, target=target, links=chosen, by=request.user))


def _chosen(request: ApiRequest, access: Access, sent: MoveSent) -> ExternalSecretQuerySet:
    """Return the links that are to move: never one that may not be managed."""
    links = usage.links_of(request, access, MANAGE)
    if sent.service is not None:
        owned = Service.objects.within(request.organization, request.authority, MANAGE)
        return links.filter(service=get_object_or_404(owned, cluster=access.cluster_id, pk=sent.service))
    return links.filter(namespace=sent.namespace) if sent.namespace else links
