"""The sandbox cluster tells whose a ServiceAccount's token is, to those who may ask."""

from typing import Any

import pytest

from sandbox.kubernetes import Cluster
from tests.sandbox.test_clusters import ask

pytestmark = pytest.mark.sandbox

PATH = "/apis/authentication.k8s.io/v1/tokenreviews"


@pytest.fixture
def cluster() -> Any:
    with Cluster() as running:
        running.load([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}}])
        yield running


def review(cluster: Cluster, token: str, audiences: list[str], user: str = "sandbox-admin") -> Any:
    spec = {"token": token, "audiences": audiences}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    return ask(cluster, "POST", PATH, body, user)


def test_whose_a_token_is(cluster):
    token = cluster.service_account_token("default", "app", "vault")

    status = review(cluster, token, ["other", "vault"])[1]["status"]

    assert status["authenticated"]
    assert status["user"]["username"] == "system:serviceaccount:default:app"
    assert status["audiences"] == ["vault"]


@pytest.mark.parametrize("token", ["", "a.b.c", "x", "e30.e30.e30"])
def test_texts_that_are_no_tokens(cluster, token):
    assert review(cluster, token, ["vault"])[1]["status"]["authenticated"] is False


def test_a_token_for_somebody_else_or_of_another_cluster(cluster):
    token = cluster.service_account_token("default", "app", "vault")
    with Cluster() as other:
        other.load([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}}])
        theirs = other.service_account_token("default", "app", "vault")

    assert review(cluster, token, ["other"])[1]["status"]["authenticated"] is False
    assert review(cluster, token, [])[1]["status"]["authenticated"] is False
    assert review(cluster, theirs, ["vault"])[1]["status"]["authenticated"] is False


def test_the_token_of_an_account_that_is_gone(cluster):
    token = cluster.service_account_token("default", "app", "vault")
    resource = cluster.store.by_kind("ServiceAccount")
    cluster.api.operations.delete(resource, "default", "app", dry_run=False)

    assert review(cluster, token, ["vault"])[1]["status"]["authenticated"] is False


def test_who_may_not_ask_is_refused(cluster):
    token = cluster.service_account_token("default", "app", "vault")

    assert review(cluster, token, ["vault"], "sandbox-viewer")[0] == 403
