"""Vault by each way in, on a real OpenBao: from the form to the value in the cluster, then written to and deployed anew."""

import base64
import datetime
from typing import Any

import pytest
from django.utils import timezone

from accesses.models import Access, AccessDraft
from clusters import addons, kubeconfig, waiting
from clusters import services as clusters
from clusters.models import Cluster
from external_secrets import inventory
from external_secrets.models import ExternalSecret, InventoryEntry
from tests import factories
from tests.accesses.worlds import vault as world
from tests.runs import make_run

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

BASE = "/o/acme/clusters/prod/secret-managers/new/"


@pytest.fixture
def kube(make_sandbox_cluster, openbao) -> Any:
    running = make_sandbox_cluster("plain")
    openbao.trust(running.url, running.ca_pem, running.token(), path="kubernetes-plain")
    return running


@pytest.fixture
def cluster(kube, organization, settings, project, monkeypatch) -> Any:
    monkeypatch.setattr(waiting, "LONGEST", 0.1)
    settings.OPERATOR_CHART = str(project / "sandbox" / "chart" / "external-secrets")
    made = factories.make_cluster(
        organization=organization, name="prod", kubeconfig=kubeconfig.reduce(kube.kubeconfig())
    )
    clusters.check(made)
    clusters.refresh_services(made)
    return made


def entered(openbao: Any, method: str) -> dict[str, Any]:
    """Return what somebody enters in the form."""
    found: dict[str, Any] = dict(world.configuration(openbao, method))
    if method == "kubernetes":
        found |= {"role": "keyhaven", "auth_path": "kubernetes-plain"}
    return found | {name: openbao.keys["reader"][name] for name in world.FIELDS[method]}


def begin(browser: Any, method: str) -> AccessDraft:
    browser.post(BASE)
    draft = AccessDraft.objects.latest("created_at")
    browser.post(f"{BASE}{draft.pk}/provider/", {"provider": "vault"})
    browser.post(f"{BASE}{draft.pk}/authentication/", {"method": method})
    return draft


def send(browser: Any, draft: AccessDraft, data: dict[str, Any]) -> Any:
    return browser.post(f"{BASE}{draft.pk}/details/", data | {"name": "vault", "namespaces": ["shop"]})


def walk(browser: Any, draft: AccessDraft, data: dict[str, Any]) -> Access:
    answer = send(browser, draft, data)
    assert answer.status_code == 302, answer.content.decode()[:20000]
    shown = AccessDraft.objects.get(pk=draft.pk).tested_at
    assert shown is not None
    answer = browser.post(f"{BASE}{draft.pk}/test/", {"wish": "save", "shown": shown.isoformat()})
    assert answer.status_code == 302, answer.content.decode()[:20000]
    return Access.objects.get(pk=draft.pk)


def deploy(cluster: Cluster) -> Access:
    for step in addons.steps():
        step.apply(make_run(Cluster.objects.get(pk=cluster.pk)))
    return Access.objects.select_related("cluster", "cloud_credential").get()


def synced(kube: Any, link: ExternalSecret, variable: str) -> str:
    found = kube.get("Secret", link.object_name, "shop")
    return base64.b64decode(found["data"][variable]).decode()


@pytest.mark.parametrize("method", world.METHODS)
def test_from_the_form_to_the_value(cluster, kube, openbao, sign_in, devops, method):
    browser = sign_in(devops)
    draft = begin(browser, method)
    page = browser.get(f"{BASE}{draft.pk}/details/").content.decode()
    walk(browser, draft, entered(openbao, method))
    service = cluster.services.get(namespace="shop", name="api")
    make = {"service": service, "access": Access.objects.get()}
    whole = factories.make_link(**make, key="prod/shop/database", variable="ALL")
    one = factories.make_link(**make, key="prod/db-password", json_field="value", variable="ONE")

    access = deploy(cluster)

    assert "vault policy write keyhaven" in page
    assert access.accepted_at
    assert access.validated is True, access.validated_reason
    assert access.verified_at, access.result
    assert synced(kube, one, "ONE") == openbao.value("prod/db-password")["value"]
    assert world.Reading(synced(kube, whole, "ALL")) == world.text_of(openbao.value("prod/shop/database"))
    inventory.read_all(access)
    found = InventoryEntry.objects.filter(access=access).values_list("name", flat=True)
    assert set(openbao.names) <= set(found)
    assert InventoryEntry.objects.get(access=access, name="prod/shop/api-key").tags == {
        "stage": "prod",
        "team": "shop",
    }


def test_a_folder_and_custom_metadata_bring_many(cluster, kube, openbao, sign_in, devops):
    browser = sign_in(devops)
    made = walk(browser, begin(browser, "kubernetes"), entered(openbao, "kubernetes"))
    service = cluster.services.get(namespace="shop", name="api")
    takes = ExternalSecret.Takes
    folder = factories.make_link(service=service, access=made, key="prod/shop", variable="", takes=takes.PATH)
    tagged = factories.make_link(
        service=service,
        access=made,
        key="",
        variable="",
        takes=takes.TAGS,
        tags={"stage": "prod", "team": "data"},
    )

    deploy(cluster)

    in_folder, with_tags = (kube.get("Secret", one.object_name, "shop")["data"] for one in (folder, tagged))
    expected = {name.replace("/", "_") for name in openbao.names if name.startswith("prod/shop/")}
    assert set(in_folder) == expected
    assert "prod_data_api-key" in with_tags
    assert not set(with_tags) & expected


def test_when_a_token_ends_is_kept_without_being_typed(cluster, kube, openbao, sign_in, devops):
    browser = sign_in(devops)
    short = openbao.token("reader", "36h")
    draft = begin(browser, "token")

    access = walk(browser, draft, entered(openbao, "token") | {"token": short})

    left = access.expires_at - timezone.now()
    assert datetime.timedelta(hours=35) < left < datetime.timedelta(hours=37)
    page = browser.get("/o/acme/clusters/prod/secret-managers/vault/").content.decode()
    assert "Ends in" in page
    assert "Session token" not in page


@pytest.mark.parametrize(
    ("method", "wrong", "field", "reason"),
    [
        ("token", {"token": "s.WrongWrongWrongWrongWrong"}, "token", "has ended or was revoked"),
        ("userpass", {"password": "wrong"}, "password", "does not accept what was entered"),
        ("approle", {"secret_id": "wrong"}, "secret_id", "does not accept what was entered"),
        ("kubernetes", {"role": "wrong"}, "role", "has no role of this name"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    cluster, kube, openbao, sign_in, devops, method, wrong, field, reason
):
    browser = sign_in(devops)
    draft = begin(browser, method)

    answer = send(browser, draft, entered(openbao, method) | wrong)

    page = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="id_{field}-error"' in page
    assert reason in page
    assert [name for name in world.FIELDS[method] if openbao.keys["reader"][name] in page] == []
    draft.refresh_from_db()
    assert draft.configuration["address"] == openbao.url
