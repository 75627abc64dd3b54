"""Somebody who calls the API with a token."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accesses.models import OperatorState
from accounts.audit import services as audit
from accounts.invitations import services as invitations
from accounts.models import ApiToken, CustomRole, Delivery, Membership
from clusters.models import Deploy, DeployStep, Rotation
from tests import factories


class Caller:
    """A client that shows a token with each call; paths begin after /api/v1/organizations/acme."""

    def __init__(self, value: str, organization: str = "acme") -> None:
        self.value = value
        self.root = f"/api/v1/organizations/{organization}"
        self.client = Client()

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        if self.value:
            headers["Authorization"] = f"Bearer {self.value}"
        given = {} if body is None else {"data": body, "content_type": "application/json"}
        return self.client.generic(method, f"{self.root}{path}", headers=headers, **_sent(given))

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("POST", path, {} if body is None else body, **headers)


def _sent(given: dict[str, Any]) -> dict[str, Any]:
    import json

    if "data" in given and not isinstance(given["data"], bytes | str):
        given["data"] = json.dumps(given["data"])
    return given


@pytest.fixture
def call_as(organization: Any) -> Callable[..., Caller]:
    """Return a function that makes a token of a member of Acme and returns what calls with it."""

    def make(user: Any, **fields: Any) -> Caller:
        return Caller(factories.make_token(user, organization, **fields))

    return make


def _deploys(cluster: Any, owner: Any, *statuses: str) -> None:
    """Make deploys 1, 2 … of a cluster; those that failed did so in their first step."""
    for number, status in enumerate(statuses, start=1):
        ended = timezone.now() if status == "failed" else None
        deploy = Deploy.objects.create(
            cluster=cluster, number=number, by=owner, by_name="Olive", status=status, finished_at=ended
        )
        DeployStep.objects.create(
            deploy=deploy,
            position=1,
            slug="connect",
            label="Connect",
            status="failed" if ended else "waiting",
        )


@pytest.fixture
def things(organization: Any, owner: Any, aws_endpoint: str) -> dict[str, Any]:
    """One object of each kind in Acme, by the names that tests/api/world.py uses."""
    cluster = factories.make_cluster(organization=organization, name="prod", operator_version="2.8.0")
    service = factories.make_service(cluster=cluster, name="api")
    access = factories.make_access(cluster=cluster, name="aws")
    factories.make_access(cluster=cluster, name="unused")
    factories.make_entry(access, "prod/shop/db")
    link = factories.make_link(service=service, access=access, key="prod/shop/db")
    deployed = factories.make_link(service=service, access=access, key="prod/shop/api", status="failed")
    factories.make_cloud_credential(organization=organization, name="aws-prod")
    rotating = factories.make_cloud_credential(organization=organization, name="aws-rotating")
    rotation = Rotation.objects.create(
        credential=rotating, started_by="x", status="confirming", old_secret=rotating.secret
    )
    OperatorState.objects.create(cluster=cluster, adopted=False, seen_at=timezone.now())
    destination = factories.make_destination(organization=organization, name="on-call", cursor=1000)
    delivery = Delivery.objects.create(
        destination=destination, first=1, last=1000, events=1, milliseconds=1, outcome="failed"
    )
    _deploys(cluster, owner, "failed", "queued")
    _deploys(factories.make_cluster(organization=organization, name="spare"), owner, "failed")
    factories.make_token(owner, organization, name="of the owner")
    role = CustomRole.objects.create(
        organization=organization, name="Readers", permissions=["cluster:view"], clusters=["prod"]
    )
    audit.record(organization=organization, by=owner, action="organization.created", target=organization)
    audit.record(organization=organization, by=owner, action="deploy.succeeded", target=cluster)
    member = Membership.objects.get(user=factories.make_member(organization, "viewer", name="Vera"))
    invitation = invitations.invite(
        organization=organization,
        email="new@example.com",
        roles=["viewer"],
        custom_roles=[],
        days=7,
        by=owner,
        authority=Membership.objects.get(user=owner).authority,
    ).invitation
    return {
        "organization": organization,
        "owner": owner,
        "cluster": cluster,
        "service": service,
        "access": access,
        "destination": destination,
        "delivery": delivery,
        "link": link,
        "rotation": rotation,
        "deployed": deployed,
        "token": ApiToken.objects.get(name="of the owner"),
        "role": role,
        "member": member,
        "invitation": invitation,
    }
