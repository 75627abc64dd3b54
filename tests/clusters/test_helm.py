"""Helm on the sandbox cluster: install, and what a second time does."""

from typing import Any

import pytest

from clusters import helm
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


def test_a_chart_that_is_not_there_is_said(cluster, project):
    with pytest.raises(helm.HelmFailed, match="Helm says"):
        install(cluster, project, chart=str(project / "no-such-chart"))


def test_nothing_of_the_kubeconfig_is_said(cluster, project):
    token = cluster.token()
    cluster.identities.users["sandbox-admin"].token = "another"

    with pytest.raises(helm.HelmFailed) as failure:
        helm.install_or_upgrade(
            cluster.kubeconfig().replace("another", token), release="x", namespace="x", version="2.9.0", timeout=20,
            chart=str(project / "sandbox" / "chart" / "external-secrets"), values={},
        )  # fmt: skip

    assert token not in failure.value.reason + str(failure.value)
