"""A cluster with an access and a service, and what the tests of this app ask of them."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from external_secrets import inventory, tasks
from external_secrets.models import InventoryEntry, InventoryState
from tests import factories
from tests.external_secrets.manager import ACCOUNT, CHANGED, FakeManager


@pytest.fixture(autouse=True)
def hasty(monkeypatch, settings) -> None:
    """Who is throttled waits as little as can be, and who is not does not wait."""
    settings.INVENTORY_PAGES_PER_SECOND = 10_000
    monkeypatch.setattr(inventory, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(inventory, "PATIENCE", 0.2)


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list[str]:
    """The ids of the accesses whose inventory a worker was asked for."""
    ids: list[str] = []
    monkeypatch.setattr(tasks.read_inventory, "delay", lambda access_id: ids.append(access_id))
    return ids


@pytest.fixture
def manager(monkeypatch) -> FakeManager:
    return FakeManager().use(monkeypatch)


@pytest.fixture
def cluster(organization) -> Any:
    return factories.make_cluster(organization=organization, name="prod")


@pytest.fixture
def access(cluster) -> Any:
    return factories.make_access(cluster=cluster, name="aws", namespaces=["shop"])


@pytest.fixture
def service(cluster) -> Any:
    env = [
        {"name": "LOG_LEVEL", "source": "value"},
        {"name": "API_KEY", "source": "secret legacy/api-key"},
    ]
    containers = [{"name": "web", "image": "shop/api:1", "env": env, "mounts": []}]
    return factories.make_service(cluster=cluster, name="api", containers=containers)


@pytest.fixture
def fill(access) -> Any:
    """Return a function that makes the access's inventory hold exactly these names, read just now."""

    def act(*names: str, of: Any = access) -> None:
        InventoryEntry.objects.bulk_create(
            InventoryEntry(
                access=of,
                organization_id=of.cluster.organization_id,
                name=name,
                reference=f"{ACCOUNT}{name}-AbCdEf",
                changed_at=CHANGED,
            )
            for name in names
        )
        InventoryState.objects.update_or_create(
            access=of, defaults={"read_at": timezone.now(), "entries": len(names)}
        )

    return act


@pytest.fixture
def url(organization) -> Any:
    def build(name: str, **kwargs: Any) -> str:
        return reverse(f"external_secrets:{name}", kwargs={"org": organization.slug} | kwargs)

    return build


@pytest.fixture
def foreign_kube() -> Any:
    """A sandbox cluster with the operator's kinds and the namespace shop; what is in it is for the test to load."""
    from sandbox.kubernetes import Cluster
    from tests.external_secrets import foreigners

    with Cluster() as running:
        running.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}])
        running.load(foreigners.crds())
        yield running


@pytest.fixture
def foreign_cluster(organization, foreign_kube) -> Any:
    return factories.make_cluster(
        organization=organization, name="prod", kubeconfig=foreign_kube.kubeconfig()
    )
