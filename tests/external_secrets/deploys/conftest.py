"""The three steps on the sandbox cluster, with an operator that reads from a dictionary."""

from typing import Any

import pytest

from clusters import addons, waiting
from external_secrets.models import ExternalSecret
from external_secrets.steps import ApplyExternalSecrets, Inject, Observe, state
from sandbox.kubernetes import Cluster as SandboxCluster
from tests import factories
from tests.external_secrets.deploys.world import VALUE, deployment
from tests.external_secrets.operator import Operator
from tests.runs import make_run


@pytest.fixture(scope="module")
def server():
    with SandboxCluster() as running:
        yield running


@pytest.fixture
def kube(server):
    """An empty cluster with one namespace and the workload `api`."""
    server.faults.clear()
    for name in ("shop", "jobs"):
        if server.get("Namespace", name) is None:
            server.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
    server.load([deployment("api")])
    yield server
    for key in list(server.store.objects):
        if key[2] in ("shop", "jobs"):
            server.store.remove(key)
    server.store.remove(
        ("apiextensions.k8s.io", "customresourcedefinitions", "", "externalsecrets.external-secrets.io")
    )


@pytest.fixture
def operator(kube):
    with Operator(kube) as running:
        running.upstream = {"prod/db": VALUE, "prod/token": VALUE}
        yield running


@pytest.fixture
def cluster(organization, kube):
    return factories.make_cluster(organization=organization, name="prod", kubeconfig=kube.kubeconfig())


@pytest.fixture
def service(cluster):
    return factories.make_service(cluster=cluster, name="api", kind="Deployment")


@pytest.fixture
def link(service, access):
    """Return a function that links a name to a variable."""

    def act(key: str = "prod/db", variable: str = "DB", **fields: Any) -> ExternalSecret:
        fields = {"service": service, "access": access} | fields
        return factories.make_link(key=key, variable=variable, **fields)

    return act


@pytest.fixture
def run(cluster, settings):
    settings.SYNC_TIMEOUT = 10
    return lambda **facts: make_run(cluster, **facts)


@pytest.fixture
def bring(run, monkeypatch):
    """Return a function that runs the three steps as a deploy does, until one fails, and gives run and failure."""
    monkeypatch.setattr(waiting, "LONGEST", 0.1)
    monkeypatch.setattr(state, "GRACE", 0.3)

    def act() -> tuple[addons.Run, addons.StepFailed | None]:
        one = run()
        try:
            for step in (ApplyExternalSecrets(), Inject(), Observe()):
                one.log("info", step.apply(one))
        except addons.StepFailed as failure:
            return one, failure
        return one, None

    return act
