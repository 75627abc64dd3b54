"""Connecting a cluster, its services and its settings, as a person does it."""

import datetime
from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts.models import AuditEvent
from clusters.models import Cluster, ConnectDraft, Deploy
from sandbox.kubernetes import Cluster as Sandbox
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]


@pytest.fixture(scope="module")
def sandbox() -> Any:
    from sandbox import world

    with Sandbox() as running:
        running.load(list(world.manifests()))
        yield running


@pytest.fixture
def browser(sign_in, devops) -> Any:
    return sign_in(devops)


def begin(browser: Any, text: str) -> str:
    return str(browser.post("/o/acme/clusters/connect/kubeconfig/", {"kubeconfig": text}).headers["Location"])


def test_a_cluster_is_tested_then_named_then_connected(browser, sandbox):
    url = begin(browser, sandbox.kubeconfig())
    tested = browser.get(url)
    done = browser.post(url, {"name": "prod"})
    overview = browser.get(done.headers["Location"])

    assert tested.context["test"].version == "v1.36.2-sandbox"
    assert sandbox.token() not in tested.content.decode()
    assert "prod is connected" in overview.content.decode()
    assert Cluster.objects.get().services.count() == 6
    assert AuditEvent.objects.get(action="cluster.connected").target_name == "prod"
    assert ConnectDraft.objects.get().kubeconfig == "", "the draft keeps no credential"


def test_a_second_click_on_connect_leads_to_the_cluster(browser, sandbox):
    url = begin(browser, sandbox.kubeconfig())

    first = browser.post(url, {"name": "prod"})
    second = browser.post(url, {"name": "prod"})

    assert first.headers["Location"] == second.headers["Location"] == "/o/acme/clusters/prod/"
    assert Cluster.objects.count() == 1


def test_a_file_does_as_well(browser, sandbox):
    file = SimpleUploadedFile("config", sandbox.kubeconfig().encode())

    response = browser.post("/o/acme/clusters/connect/kubeconfig/", {"file": file})

    assert response.status_code == 302


def test_an_empty_htmx_post_is_answered_with_the_form(browser):
    response = browser.post("/o/acme/clusters/connect/kubeconfig/", headers={"HX-Request": "true"})

    assert response.status_code == 422
    assert "Paste a kubeconfig" in response.content.decode()


def test_a_refusal_stands_at_the_field_and_nothing_is_echoed(browser):
    whole = yaml.safe_dump({"clusters": [], "contexts": [], "users": [{"name": "canary-value"}]})

    response = browser.post("/o/acme/clusters/connect/kubeconfig/", {"kubeconfig": whole})

    assert response.status_code == 422
    assert "The kubeconfig has no context" in response.context["form"].errors["kubeconfig"][0]
    assert "canary-value" not in response.content.decode()


def test_a_kubeconfig_with_several_contexts_can_replace_another(browser, sandbox, organization):
    cluster = factories.make_cluster(organization=organization, name="prod")
    whole = yaml.safe_load(sandbox.kubeconfig())
    whole["contexts"].append({"name": "other", "context": dict(whole["contexts"][0]["context"])})
    sent = {"kubeconfig": yaml.safe_dump(whole), "seen": cluster.updated_at.isoformat()}

    asked = browser.post("/o/acme/clusters/prod/settings/", sent)
    done = browser.post("/o/acme/clusters/prod/settings/", sent | {"context": "other"})

    assert "sandbox, other" in asked.context["form"].errors["context"][0]
    assert sandbox.token() not in asked.content.decode()
    assert done.status_code == 302


def test_several_contexts_are_a_choice_and_the_pasted_text_is_kept(browser, sandbox):
    whole = yaml.safe_load(sandbox.kubeconfig())
    whole["contexts"].append({"name": "other", "context": dict(whole["contexts"][0]["context"])})
    url = begin(browser, yaml.safe_dump(whole))

    choice = browser.get(url)
    nothing = browser.post(url, {})
    chosen = browser.post(url, {"context": "other"})

    assert "other" in choice.content.decode()
    assert sandbox.token() not in choice.content.decode()
    assert nothing.status_code == 422
    assert chosen.headers["Location"] == url
    assert browser.get(url).context["test"].identity == "sandbox-admin"


def test_a_cluster_that_does_not_answer_cannot_be_saved_but_nothing_is_lost(browser):
    with Sandbox() as gone:
        text = gone.kubeconfig()
    url = begin(browser, text)

    response = browser.post(url, {"name": "prod"})

    assert "refuses the connection" in response.content.decode()
    assert not Cluster.objects.exists()
    assert ConnectDraft.objects.exists()


def test_missing_permissions_are_listed_by_name(browser, sandbox):
    url = begin(browser, sandbox.kubeconfig("sandbox-viewer"))

    page = browser.get(url).content.decode()

    assert "patch clustersecretstores.external-secrets.io" in page
    assert "permissions are missing" in page


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Bad Name", "lower-case"),
        ("connect", "taken by a page"),
        ("", "required"),
        ("taken", "named taken already"),
    ],
)
def test_a_bad_name_is_said_at_the_field(browser, sandbox, organization, name, words):
    factories.make_cluster(organization=organization, name="taken")
    url = begin(browser, sandbox.kubeconfig())

    response = browser.post(url, {"name": name})

    assert response.status_code == 422
    assert words in str(response.context["form"].errors["name"])


@pytest.fixture
def cluster(organization, sandbox) -> Cluster:
    from clusters import kubeconfig

    text = kubeconfig.reduce(sandbox.kubeconfig())
    return factories.make_cluster(organization=organization, name="prod", kubeconfig=text)


def test_services_are_refreshed_and_those_that_are_gone_are_marked(browser, cluster):
    gone = factories.make_service(cluster=cluster, name="gone")

    browser.post("/o/acme/clusters/prod/services/refresh/")

    gone.refresh_from_db()
    page = browser.get("/o/acme/clusters/prod/services/?namespace=billing").content.decode()
    assert gone.gone_at
    assert cluster.services.filter(gone_at=None).count() == 6
    assert "invoices" in page
    assert "frontend" not in page


def test_a_refresh_that_fails_is_said(browser, cluster, sandbox):
    cluster.kubeconfig = cluster.kubeconfig.replace(sandbox.token(), "wrong")
    cluster.save()

    response = browser.post("/o/acme/clusters/prod/services/refresh/", follow=True)

    assert "Unauthorized" in response.content.decode()


def test_testing_now_keeps_what_was_found(browser, cluster):
    Cluster.objects.update(status="unreachable", version="old")

    browser.post("/o/acme/clusters/prod/")

    cluster.refresh_from_db()
    assert (cluster.status, cluster.version) == ("ready", "v1.36.2-sandbox")


def test_the_kubeconfig_is_replaced_after_a_test(browser, cluster, sandbox):
    seen = cluster.updated_at.isoformat()

    response = browser.post(
        "/o/acme/clusters/prod/settings/", {"kubeconfig": sandbox.kubeconfig("sandbox-viewer"), "seen": seen}
    )

    cluster.refresh_from_db()
    assert response.status_code == 302
    assert cluster.identity == "sandbox-viewer"
    assert AuditEvent.objects.get(action="cluster.kubeconfig_replaced").details["kubeconfig"] == "changed"


def test_of_two_who_edit_the_second_is_told(browser, cluster, sandbox):
    seen = cluster.updated_at.isoformat()
    data = {"kubeconfig": sandbox.kubeconfig(), "seen": seen}
    browser.post("/o/acme/clusters/prod/settings/", data)

    second = browser.post("/o/acme/clusters/prod/settings/", data)

    assert second.status_code == 422
    assert "Somebody changed this cluster" in second.content.decode()


def test_a_kubeconfig_that_does_not_work_replaces_nothing(browser, cluster, sandbox):
    wrong = sandbox.kubeconfig().replace(sandbox.token(), "wrong")

    response = browser.post(
        "/o/acme/clusters/prod/settings/", {"kubeconfig": wrong, "seen": cluster.updated_at.isoformat()}
    )

    before = cluster.kubeconfig
    cluster.refresh_from_db()
    assert response.status_code == 422
    assert cluster.kubeconfig == before


def test_disconnecting_needs_the_name_and_no_running_deploy(browser, cluster):
    link = factories.make_link(service=factories.make_service(cluster=cluster))
    running = Deploy.objects.create(cluster=cluster, number=1, by_name="x", status="running")
    wrong = browser.post("/o/acme/clusters/prod/danger/", {"then": "leave", "name": "prd"})
    busy = browser.post("/o/acme/clusters/prod/danger/", {"then": "leave", "name": "prod"})
    running.delete()

    done = browser.post("/o/acme/clusters/prod/danger/", {"then": "leave", "name": "prod"})

    assert "This cluster is called prod" in wrong.content.decode()
    assert "A deploy runs" in busy.content.decode()
    assert done.status_code == 302
    assert not Cluster.objects.exists()
    assert not type(link).objects.exists()
    assert AuditEvent.objects.filter(action="cluster.disconnected").exists()


def test_the_list_does_not_grow_queries(browser, organization, django_assert_max_num_queries):
    for number in range(30):
        factories.make_cluster(organization=organization, name=f"c-{number}")

    with django_assert_max_num_queries(12):
        response = browser.get("/o/acme/clusters/?q=c-1")

    assert len(response.context["rows"]) == 11


def test_a_viewer_is_not_led_to_settings(sign_in, viewer, cluster):
    page = sign_in(viewer).get("/o/acme/clusters/prod/deploys/").content.decode()

    assert "/o/acme/clusters/prod/settings/" not in page


def test_a_forgotten_kubeconfig_does_not_stay(browser, sandbox, organization, admin):
    forgotten = ConnectDraft.objects.create(organization=organization, by=admin, kubeconfig="x")
    ConnectDraft.objects.update(created_at=timezone.now() - datetime.timedelta(days=2))

    begin(browser, sandbox.kubeconfig())

    assert not ConnectDraft.objects.filter(pk=forgotten.pk).exists()
