"""Reading again now: what is asked of the operator, what comes of it, and what cannot be asked."""

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.models import AuditEvent
from clusters import waiting
from external_secrets import manifests, syncing, tasks
from external_secrets.models import ExternalSecret
from external_secrets.steps import state
from sandbox.kubernetes import Cluster as SandboxCluster
from tests import factories
from tests.external_secrets.operator import Operator

pytestmark = [pytest.mark.django_db, pytest.mark.sandbox]


@pytest.fixture(scope="module")
def server():
    with SandboxCluster() as running:
        yield running


@pytest.fixture
def kube(server):
    server.faults.clear()
    if server.get("Namespace", "shop") is None:
        server.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}])
    yield server
    for key in list(server.store.objects):
        if key[2] == "shop":
            server.store.remove(key)
    server.store.remove(
        ("apiextensions.k8s.io", "customresourcedefinitions", "", "externalsecrets.external-secrets.io")
    )


@pytest.fixture
def operator(kube):
    with Operator(kube) as running:
        running.upstream = {"prod/db": "canary-value-5c1d"}
        yield running


@pytest.fixture
def cluster(organization, kube):
    return factories.make_cluster(
        organization=organization, name="prod", kubeconfig=kube.kubeconfig(), operator_version="2.9.0"
    )


@pytest.fixture
def link(service, access, kube, operator):
    """Return a function that makes a link which was deployed and read once."""

    def act(key="prod/db", **fields):
        fields = {"service": service, "access": access, "status": "in sync"} | fields
        made = factories.make_link(key=key, **fields)
        if made.alias_of is None:
            kube.load([manifests.external_secret(made)])
            operator.look()
        return made

    return act


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(waiting, "LONGEST", 0.05)
    monkeypatch.setattr(state, "GRACE", 0.2)
    monkeypatch.setattr(syncing, "LONGEST", 3.0)
    monkeypatch.setattr(syncing, "PATIENCE", 0.0)


@pytest.fixture
def sent(monkeypatch):
    """The links that the worker was asked to read again; the worker is not there."""
    ids: list[list[str]] = []
    monkeypatch.setattr(tasks.read_again, "delay", lambda link_ids, by: ids.append(link_ids))
    return ids


@pytest.fixture
def at_work(monkeypatch):
    """A worker that does at once what it is asked."""
    monkeypatch.setattr(tasks.read_again, "delay", tasks.read_again)


def state_of(link):
    link.refresh_from_db()
    return link.status, link.status_reason, link.status_remedy


class TestAsking:
    def test_the_row_says_so_and_the_worker_gets_the_id(self, link, sent, devops):
        one, other = link(), link("prod/other", status="failed")

        count = syncing.sync_now(links=[one], by=devops)

        assert count == 1
        assert sent == [[str(one.pk)]]
        assert state_of(one) == ("waiting", syncing.ASKED, "")
        assert syncing.is_asked(one)
        assert state_of(other)[0] == "failed"

    def test_it_is_in_the_audit_log(self, link, sent, devops):
        one = link()

        syncing.sync_now(links=[one], by=devops)

        event = AuditEvent.objects.get(action="external_secret.read_again")
        assert event.target_id == str(one.pk)
        assert event.details == {"cluster": "prod", "accesses": ["aws"], "links": 1}

    def test_whoever_shares_the_value_is_asked_with_it(self, link, sent, devops):
        one = link()
        alias = link(alias_of=one)

        syncing.sync_now(links=[alias], by=devops)

        assert sent == [sorted([str(one.pk), str(alias.pk)])]
        assert syncing.is_asked(ExternalSecret.objects.get(pk=one.pk))

    def test_several_are_one_event_of_the_cluster(self, link, sent, devops, cluster):
        made = [link(status="failed"), link("prod/other", status="failed"), link("prod/well")]

        count = syncing.sync_now(links=syncing.failed(cluster), by=devops)

        assert count == 2
        assert sent == [sorted(str(one.pk) for one in made[:2])]
        assert AuditEvent.objects.get(action="external_secret.read_again").target_id == str(cluster.pk)

    @pytest.mark.parametrize(
        ("fields", "reason", "remedy"),
        [
            ({"status": "never deployed"}, "is not in the cluster yet", "Deploy first"),
            (
                {"status": "failed", "refused": True, "status_reason": "Somebody has it."},
                "was not taken by the last deploy: Somebody has it.",
                "Deploy again",
            ),
        ],
    )
    def test_what_is_not_in_the_cluster_is_to_be_deployed(self, link, sent, devops, fields, reason, remedy):
        one = link(**fields)

        with pytest.raises(syncing.NotPossible, match=reason) as refusal:
            syncing.sync_now(links=[one], by=devops)

        assert remedy in refusal.value.remedy
        assert sent == []
        assert not AuditEvent.objects.filter(action="external_secret.read_again").exists()

    def test_among_several_only_those_that_can_be_are_asked(self, link, sent, devops):
        one, never = link(), link("prod/new", status="never deployed")

        count = syncing.sync_now(links=[never, one], by=devops)

        assert count == 1
        assert sent == [[str(one.pk)]]
        assert state_of(never)[0] == "never deployed"

    @pytest.mark.parametrize(
        ("version", "reason", "remedy"),
        [("", "The operator is not on prod yet", "Deploy first"), ("v2.4.0", "older than 2.4.1", "Upgrade")],
    )
    def test_without_an_operator_that_can_nothing_is_asked(
        self, link, sent, devops, cluster, version, reason, remedy
    ):
        cluster.operator_version = version
        cluster.save()

        with pytest.raises(syncing.NotPossible, match=reason) as refusal:
            syncing.sync_now(links=[ExternalSecret.objects.get(pk=link().pk)], by=devops)

        assert remedy in refusal.value.remedy

    def test_without_a_broker_the_row_is_as_it_was(self, link, devops, monkeypatch):
        def away(link_ids, by):
            raise OperationalError

        monkeypatch.setattr(tasks.read_again, "delay", away)
        one = link(status="failed", status_reason="It is refused.", status_remedy="Replace it.")

        with pytest.raises(syncing.NotPossible, match="the broker does not answer"):
            syncing.sync_now(links=[one], by=devops)

        assert state_of(one) == ("failed", "It is refused.", "Replace it.")

    def test_nothing_is_nothing(self, devops):
        with pytest.raises(syncing.NotPossible):
            syncing.sync_now(links=[], by=devops)


class TestAtWork:
    def test_what_failed_and_is_well_upstream_recovers(self, link, at_work, devops, operator, kube):
        operator.upstream = {}
        one = link()
        operator.upstream = {"prod/db": "canary-value-5c1d"}
        ExternalSecret.objects.filter(pk=one.pk).update(status="failed", status_reason="There is none.")

        syncing.sync_now(links=[one], by=devops)

        assert state_of(one) == ("in sync", "", "")
        assert one.synced_at is not None
        item = kube.get("ExternalSecret", one.object_name, "shop")
        assert item["metadata"]["annotations"].keys() == {"force-sync"}

    def test_what_vanished_upstream_says_so_with_the_operators_words(
        self, link, at_work, devops, operator, kube
    ):
        one = link()
        operator.upstream = {}

        syncing.sync_now(links=[one], by=devops)

        status, reason, remedy = state_of(one)
        assert (status, reason) == ("failed", "There is no secret named prod/db in aws.")
        assert "A value that the cluster already has stays." in remedy
        assert "Secret does not exist" in one.events[-1]["message"]
        assert kube.get("Secret", one.object_name, "shop") is not None, "what runs keeps its value"

    def test_what_stays_wrong_says_so_again(self, link, at_work, devops, operator):
        operator.upstream = {"prod/db": Exception("AccessDeniedException: kms:Decrypt")}
        one = link(status="failed")

        syncing.sync_now(links=[one], by=devops)

        assert state_of(one)[:2] == (
            "failed",
            "aws is not allowed to decrypt prod/db: it has a key of its own.",
        )

    def test_an_alias_is_as_its_original(self, link, at_work, devops):
        one = link()
        alias = link(alias_of=one)

        syncing.sync_now(links=[one], by=devops)

        assert state_of(alias)[0] == "in sync"

    def test_many_are_listed_once(self, link, at_work, devops, kube, cluster, monkeypatch):
        monkeypatch.setattr(syncing, "FEW", 1)
        made = [link(status="failed"), link(status="failed")]

        syncing.sync_now(links=syncing.failed(cluster), by=devops)

        assert [state_of(one)[0] for one in made] == ["in sync", "in sync"]

    def test_an_operator_that_sleeps_is_told_apart_from_one_that_read(
        self, link, at_work, devops, operator, monkeypatch
    ):
        monkeypatch.setattr(syncing, "LONGEST", 0.2)
        one = link()
        operator.asleep = True

        syncing.sync_now(links=[one], by=devops)

        status, reason, remedy = state_of(one)
        assert (status, reason) == (
            "waiting",
            "The operator was asked to read it again, and has not answered yet.",
        )
        assert "pods in external-secrets" in remedy
        assert not syncing.is_asked(one)

    def test_what_somebody_deleted_in_the_cluster_is_to_be_deployed(self, link, at_work, devops, kube):
        one = link()
        kube.store.remove(("external-secrets.io", "externalsecrets", "shop", one.object_name))

        syncing.sync_now(links=[one], by=devops)

        assert state_of(one) == (
            "waiting",
            "Its ExternalSecret is not in the cluster.",
            "Deploy: it brings it back.",
        )

    def test_the_object_of_another_console_is_left_alone(self, link, at_work, devops, kube):
        one = link()
        key = ("external-secrets.io", "externalsecrets", "shop", one.object_name)
        item = kube.store.find(key)
        labels = item["metadata"]["labels"] | {manifests.CLUSTER: "another"}
        kube.store.put(key, item | {"metadata": item["metadata"] | {"labels": labels}})

        syncing.sync_now(links=[one], by=devops)

        assert "annotations" not in kube.get("ExternalSecret", one.object_name, "shop")["metadata"]

    def test_a_cluster_that_does_not_answer_is_named_on_the_row(self, link, at_work, devops, cluster):
        one = link()
        text = cluster.kubeconfig.replace(
            cluster.kubeconfig.split("server: ")[1].split()[0], "https://127.0.0.1:1"
        )
        cluster.kubeconfig = text
        cluster.save()

        syncing.sync_now(links=[ExternalSecret.objects.get(pk=one.pk)], by=devops)

        status, reason, remedy = state_of(one)
        assert status == "waiting"
        assert reason.startswith("It could not be asked to be read again: ")
        assert remedy
        assert one.checked_at > timezone.now() - timezone.timedelta(minutes=1)

    def test_what_is_gone_meanwhile_is_no_error(self, link):
        one = link()
        ids = [str(one.pk)]
        one.delete()

        tasks.read_again(link_ids=ids)

        assert not ExternalSecret.objects.exists()


class TestPages:
    @pytest.fixture
    def browser(self, sign_in, devops):
        return sign_in(devops)

    def test_one_is_asked_and_its_row_waits(self, link, sent, browser, url):
        one = link(status="failed", status_reason="It is refused.")

        answer = browser.post(url("sync", link=one.pk), headers={"HX-Request": "true"})

        text = answer.content.decode()
        assert answer.status_code == 200
        assert "The operator was asked to read it again." in text
        assert f'hx-get="{url("state", link=one.pk)}?n=' in text
        assert "Read again" not in text
        assert sent == [[str(one.pk)]]

    def test_the_row_stops_waiting_when_the_answer_is_there(self, link, browser, url):
        one = link(status="failed", status_reason="It is refused.", status_remedy="Replace it.")

        text = browser.get(url("state", link=one.pk), headers={"HX-Request": "true"}).content.decode()

        assert "It is refused." in text
        assert "Replace it." in text
        assert "Read again" in text
        assert "hx-get" not in text

    def test_it_does_not_wait_for_ever(self, link, browser, url):
        one = link(status="waiting", status_reason=syncing.ASKED)

        text = browser.get(
            url("state", link=one.pk) + "?n=40", headers={"HX-Request": "true"}
        ).content.decode()

        assert "No worker has answered." in text
        assert "hx-get" not in text

    def test_a_refusal_stays_in_the_row(self, link, sent, browser, url):
        one = link(status="failed", refused=True, status_reason="Somebody has it.")

        answer = browser.post(url("sync", link=one.pk), headers={"HX-Request": "true"})

        assert answer.status_code == 422
        assert "Deploy again." in answer.content.decode()
        assert sent == []

    def test_without_htmx_it_leads_back_to_the_service(self, link, sent, browser, url, service):
        one = link()

        answer = browser.post(url("sync", link=one.pk), follow=True)

        assert answer.redirect_chain[0][0] == f"/o/acme/clusters/prod/services/{service.pk}/#link-{one.pk}"
        assert "is being read again" in answer.content.decode()

    def test_one_of_a_namespace_leads_to_the_namespace(self, link, sent, browser, url):
        one = link(service=None, namespace="shop", container="")

        answer = browser.post(url("sync", link=one.pk))

        assert answer.headers["Location"] == f"/o/acme/clusters/prod/namespaces/shop/#link-{one.pk}"

    def test_all_that_failed_of_an_access(self, link, sent, browser, url, access, cluster):
        one = link(status="failed")
        other = factories.make_access(cluster=cluster, name="other", namespaces=["shop"])
        link("prod/other", access=other, status="failed")

        answer = browser.post(url("sync_failed", cluster="prod"), {"access": access.pk}, follow=True)

        assert sent == [[str(one.pk)]]
        assert answer.redirect_chain[0][0].endswith("/secret-managers/aws/usage/")
        assert "1 secret is being read again." in answer.content.decode()

    def test_all_that_failed_of_a_cluster(self, link, sent, browser, url):
        link(status="failed")
        link("prod/other", status="failed")

        answer = browser.post(url("sync_failed", cluster="prod"), follow=True)

        assert len(sent[0]) == 2
        assert "2 secrets are being read again." in answer.content.decode()

    def test_the_usage_of_an_access_offers_it_when_something_failed(self, link, browser, url):
        page = url("usage", cluster="prod", access="aws")
        link()

        before = browser.get(page).content.decode()
        link(status="failed")
        after = browser.get(page).content.decode()

        assert "again</button>" not in before
        assert "Read the failed one again</button>" in after

    def test_with_nothing_that_failed_it_says_so(self, link, sent, browser, url):
        link()

        answer = browser.post(url("sync_failed", cluster="prod"), follow=True)

        assert "There is nothing to read again." in answer.content.decode()
        assert sent == []

    def test_the_operators_own_words_stand_beside_ours(self, link, browser, url, service):
        event = {"at": "2026-01-01T10:00:00+00:00", "type": "Warning", "reason": "UpdateFailed", "count": 1}
        link(status="failed", status_reason="It is refused.", events=[event | {"message": "api error: no"}])

        text = browser.get(url("service", cluster="prod", service=service.pk)).content.decode()

        assert "It is refused." in text
        assert "The operator says: api error: no" in text

    def test_who_may_only_look_has_no_button(self, link, sign_in, viewer, url, service):
        one = link()

        text = sign_in(viewer).get(url("service", cluster="prod", service=service.pk)).content.decode()

        assert f'id="state-{one.pk}"' in text
        assert "Read again" not in text
