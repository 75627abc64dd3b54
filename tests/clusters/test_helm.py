"""Helm on the sandbox cluster: install, and what a second time does."""

import time
from typing import Any

import pytest

from clusters import helm, kubernetes
from sandbox.kubernetes import Cluster

pytestmark = pytest.mark.sandbox


@pytest.fixture
def cluster() -> Any:
    with Cluster() as running:
        yield running


def install(cluster: Cluster, project: Any, **changes: Any) -> None:
    options: dict[str, Any] = {
        "release": "external-secrets", "namespace": "external-secrets", "version": "2.9.0", "timeout": 60,
        "chart": str(project / "sandbox" / "chart" / "external-secrets"), "values": {},
    }  # fmt: skip
    helm.install_or_upgrade(cluster.kubeconfig(), **(options | changes))


def test_a_release_that_is_there_is_upgraded(cluster, project):
    install(cluster, project)
    install(cluster, project, values={"concurrent": 7})

    deployment = cluster.get("Deployment", "external-secrets", "external-secrets")
    assert "--concurrent=7" in str(deployment["spec"]["template"]["spec"]["containers"][0]["args"])


def test_an_installation_that_broke_off_is_taken_up_again(cluster, project):
    cluster.faults.answer("/deployments", 403, "deployments is forbidden: no", method="POST", times=1)
    with pytest.raises(helm.HelmFailed, match="forbidden"):
        install(cluster, project)

    install(cluster, project)

    assert len(cluster.list("Deployment", "external-secrets")) == 3


def test_a_cluster_that_hangs_holds_helm_up_no_longer_than_the_limit(cluster, project, settings):
    settings.CLUSTER_TIMEOUT = 2
    install(cluster, project)
    cluster.faults.hang = True
    began = time.monotonic()

    with pytest.raises(kubernetes.Unreachable):
        install(cluster, project)

    # The look for broken releases ends it by the clusters' own time limit.
    assert time.monotonic() - began < 12


def test_helm_itself_is_killed_at_its_limit(cluster, project, monkeypatch):
    monkeypatch.setattr(helm, "forget_broken", lambda *_: 0)
    cluster.faults.hang = True
    began = time.monotonic()

    with pytest.raises(helm.HelmFailed, match="within 2 s"):
        install(cluster, project, timeout=2)

    assert time.monotonic() - began < 5


def test_a_record_of_an_operation_that_never_ended_is_forgotten(cluster, project):
    install(cluster, project)
    record = next(item for item in cluster.list("Secret", "external-secrets"))
    record["metadata"]["labels"]["status"] = "pending-install"

    install(cluster, project, values={"concurrent": 7})

    statuses = [item["metadata"]["labels"]["status"] for item in cluster.list("Secret", "external-secrets")]
    assert statuses == ["deployed"]


def test_uninstalling_keeps_what_the_chart_marks(cluster, project):
    keep = {"crds": {"annotations": {"helm.sh/resource-policy": "keep"}}}
    install(cluster, project, values=keep)

    for _ in range(2):
        helm.uninstall(
            cluster.kubeconfig(), release="external-secrets", namespace="external-secrets", timeout=30
        )

    assert cluster.list("Deployment", "external-secrets") == []
    assert cluster.get("CustomResourceDefinition", "externalsecrets.external-secrets.io") is not None


def test_a_chart_that_is_not_there_is_said(cluster, project):
    with pytest.raises(helm.HelmFailed, match="Helm says"):
        install(cluster, project, chart=str(project / "no-such-chart"))


def test_nothing_of_the_kubeconfig_is_said(cluster, project, monkeypatch):
    monkeypatch.setattr(helm, "forget_broken", lambda *_: 0)
    token = cluster.token()
    cluster.identities.users["sandbox-admin"].token = "another"

    with pytest.raises(helm.HelmFailed) as failure:
        helm.install_or_upgrade(
            cluster.kubeconfig().replace("another", token), release="x", namespace="x", version="2.9.0", timeout=20,
            chart=str(project / "sandbox" / "chart" / "external-secrets"), values={},
        )  # fmt: skip

    assert token not in failure.value.reason + str(failure.value)
