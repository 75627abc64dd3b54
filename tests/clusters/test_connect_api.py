"""The API on clusters that a cloud credential finds."""

from typing import Any

import pytest

from clusters.models import Cluster
from tests import factories
from tests.api.conftest import Caller
from tests.clusters.test_connect_found import REGION, make_credential
from tests.clusters.test_connect_found import by_keys as by_keys
from tests.clusters.test_connect_found import kube as kube
from tests.clusters.test_connect_found import register as register
from tests.credentials.conftest import keys as keys

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

FOUND = "/credentials/aws-prod/clusters"
LOCATOR = {"name": "shop-prod", "region": REGION}


@pytest.fixture
def call(devops, organization) -> Any:
    return Caller(factories.make_token(devops, organization))


def details(answer: Any) -> list[tuple[str, str]]:
    return [(error["field"], error["detail"]) for error in answer.json()["errors"]]


def test_what_is_found_is_listed_with_its_locator(call, by_keys, kube, register):
    register("half", status="CREATING")

    answer = call.get(f"{FOUND}?place={REGION}").json()

    half, shop = answer["clusters"]
    assert (answer["kind"], answer["place"]) == ("eks", REGION)
    assert {"name": "eu-west-3", "label": "Europe (Paris), eu-west-3"} in answer["places"]
    assert (shop["name"], shop["locator"], shop["blocked"], shop["connected"]) == (
        "shop-prod", LOCATOR, None, None
    )  # fmt: skip
    assert half["blocked"]["reason"] == "It is being made."


def test_a_found_one_is_connected_once(call, by_keys, kube):
    sent = {"name": "prod", "place": REGION, "locator": LOCATOR}

    made = call.post(FOUND, sent)
    again = call.post(FOUND, sent | {"name": "other"})
    shown = call.get(f"{FOUND}?place={REGION}").json()["clusters"][0]

    assert made.status_code == 201
    assert (made.json()["signs_in"], made.json()["credential"]) == ("credential", "aws-prod")
    assert again.status_code == 409
    assert "as prod" in again.json()["detail"]
    assert shown["connected"] == "prod"


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"locator": {"name": "nobody", "region": REGION}}, "locator"),
        ({"locator": LOCATOR | {"endpoint": "https://evil.example"}}, "locator"),
        ({"place": "evil.example/"}, "place"),
        ({"name": "Bad Name"}, "name"),
    ],
)
def test_what_was_not_found_is_not_connected(call, by_keys, kube, sent, field):
    answer = call.post(FOUND, {"name": "prod", "place": REGION, "locator": LOCATOR} | sent)

    assert answer.status_code == 422
    assert details(answer)[0][0] == field
    assert not Cluster.objects.exists()


def test_a_credential_of_others_is_not_known(call, outsider, keys, kube):
    make_credential(outsider.memberships.get().organization, outsider, keys("console"))

    assert call.get(FOUND).status_code == 404


def test_a_cluster_that_lets_nobody_in_is_told_as_such(call, by_keys, kube, sandbox_cloud):
    sandbox_cloud.enroll(kube, "shop-prod", [])

    answer = call.post(FOUND, {"name": "prod", "place": REGION, "locator": LOCATOR})

    assert answer.status_code == 502
    assert "aws eks create-access-entry" in answer.json()["detail"]
    assert not Cluster.objects.exists()


def test_a_connected_cluster_is_switched_and_cannot_be_without_its_credential(
    call, by_keys, kube, organization
):
    from clusters import kubeconfig

    factories.make_cluster(
        organization=organization, name="prod", kind="eks", server=kube.url, region=REGION,
        kubeconfig=kubeconfig.reduce(kube.kubeconfig()),
    )  # fmt: skip

    switched = call("PUT", "/clusters/prod/sign-in", {"credential": "aws-prod"})
    without = call("PUT", "/clusters/prod/cloud", {"credential": ""})

    assert (switched.status_code, switched.json()["signs_in"]) == (200, "credential")
    assert without.status_code == 422
    assert Cluster.objects.get().signs_in == "credential"
