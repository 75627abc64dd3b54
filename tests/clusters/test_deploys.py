"""Deploys: one at a time, each step a row, a lease that only one worker holds."""

import datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import AuditEvent
from clusters import addons, deploys, kubernetes, leases, runner
from clusters.models import Cluster, Deploy
from tests import factories
from tests.clusters.conftest import FakeStep

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster(organization):
    return factories.make_cluster(organization=organization, generation=3)


def test_a_request_is_a_row_with_steps_and_an_event(
    cluster, admin, sent, steps, django_capture_on_commit_callbacks
):
    steps(FakeStep("one", 1), FakeStep("two", 2))

    with django_capture_on_commit_callbacks(execute=True):
        deploy = deploys.request(cluster=cluster, by=admin, reason="new key")

    assert (deploy.number, deploy.status, deploy.by_name) == (1, "queued", str(admin))
    assert [step.slug for step in deploy.steps.all()] == ["one", "two"]
    assert sent == ["deploy"]
    assert AuditEvent.objects.get(action="deploy.requested").details == {"reason": "new key"}


def test_a_second_request_joins_the_queued_one(cluster, admin, sent, steps):
    steps(FakeStep("one", 1))

    first = deploys.request(cluster=cluster, by=admin)
    second = deploys.request(cluster=cluster, by=admin)

    assert first == second


def test_the_database_allows_one_running_and_one_queued_deploy(cluster):
    Deploy.objects.create(cluster=cluster, number=1, by_name="x", status="running")

    with pytest.raises(IntegrityError, match="one_running_deploy"), transaction.atomic():
        Deploy.objects.create(cluster=cluster, number=2, by_name="x", status="running")


def test_with_the_broker_away_the_row_waits_and_the_sweep_sends_it(cluster, admin, steps, monkeypatch):
    steps(FakeStep("one", 1))
    deploy = deploys.request(cluster=cluster, by=admin)

    def refuse() -> None:
        raise deploys.OperationalError("refused")

    monkeypatch.setattr(deploys.tasks.run_deploys, "delay", refuse)
    deploys.send(deploy)
    messages: list[str] = []
    monkeypatch.setattr(deploys.tasks.run_deploys, "delay", lambda: messages.append("deploy"))

    assert deploys.sweep() == 1
    assert messages == ["deploy"]
    assert deploys.sweep() == 0, "one message per half minute is enough"


def test_a_run_does_its_steps_in_order_and_ends_up_to_date(cluster, admin, sent, steps):
    order: list[str] = []
    steps(
        FakeStep("two", 2, lambda run: order.append("two")),
        FakeStep("one", 1, lambda run: (order.append("one"), run.log("warning", "look out"))),
    )
    deploy = deploys.request(cluster=cluster, by=admin)

    runner.run(str(deploy.pk))

    deploy.refresh_from_db()
    cluster.refresh_from_db()
    assert order == ["one", "two"]
    assert deploy.status == "succeeded"
    assert [(line.number, line.level, line.message) for line in deploy.lines.all()] == [
        (1, "warning", "look out"),
        (2, "info", "one done"),
        (3, "info", "two done"),
    ]
    assert cluster.drift == "up to date"
    assert AuditEvent.objects.filter(action="deploy.succeeded").exists()


def test_a_failed_step_says_why_and_the_rest_is_skipped(cluster, admin, sent, steps):
    def fail(run: addons.Run) -> None:
        raise addons.StepFailed("The store was refused.", "Correct the region.")

    _, later = steps(FakeStep("one", 1, fail), FakeStep("two", 2))
    deploy = deploys.request(cluster=cluster, by=admin)

    runner.run(str(deploy.pk))

    deploy.refresh_from_db()
    cluster.refresh_from_db()
    assert (deploy.status, deploy.error, deploy.remedy) == (
        "failed",
        "The store was refused.",
        "Correct the region.",
    )
    assert [step.status for step in deploy.steps.all()] == ["failed", "skipped"]
    assert later.calls == 0
    assert cluster.drift == "never deployed"


def test_an_unexpected_error_is_told_without_its_words(cluster, admin, sent, steps, caplog):
    def fail(run: addons.Run) -> None:
        raise ValueError("-".join(("canary", "value")))

    steps(FakeStep("one", 1, fail))
    deploy = deploys.request(cluster=cluster, by=admin)

    runner.run(str(deploy.pk))

    deploy.refresh_from_db()
    assert "ValueError" in deploy.error
    assert "canary-value" not in deploy.error + caplog.text + "".join(
        line.message for line in deploy.lines.all()
    )


def test_a_cluster_that_cannot_be_reached_fails_the_first_step(cluster, admin, sent, steps, monkeypatch):
    first, second = steps(FakeStep("one", 1), FakeStep("two", 2))

    def refuse(cluster: Cluster, **_: Any) -> None:
        raise kubernetes.Unreachable("The cluster does not answer.", "Check its address.")

    monkeypatch.setattr(kubernetes, "connect", refuse)
    deploy = deploys.request(cluster=cluster, by=admin)

    runner.run(str(deploy.pk))

    deploy.refresh_from_db()
    assert (deploy.status, deploy.error) == ("failed", "The cluster does not answer.")
    assert [step.status for step in deploy.steps.all()] == ["failed", "skipped"]
    assert first.calls == second.calls == 0


def test_a_held_deploy_is_left_alone(cluster, admin, sent, steps):
    (step,) = steps(FakeStep("one", 1))
    deploy = deploys.request(cluster=cluster, by=admin)
    assert leases.take(str(deploy.pk)) is not None

    runner.run(str(deploy.pk))

    assert step.calls == 0


def test_an_abandoned_deploy_is_taken_over_and_the_first_worker_stops(cluster, admin, sent, steps):
    def lose(run: addons.Run) -> None:
        # Another worker takes the deploy over while this one sleeps.
        Deploy.objects.filter(pk=deploy.pk).update(lease_until=timezone.now() - datetime.timedelta(seconds=1))
        assert leases.take(str(deploy.pk)) is not None
        run.checkpoint()

    _, later = steps(FakeStep("one", 1, lose), FakeStep("two", 2))
    deploy = deploys.request(cluster=cluster, by=admin)

    runner.run(str(deploy.pk))

    deploy.refresh_from_db()
    assert (deploy.status, deploy.fence) == ("running", 2)
    assert later.calls == 0


def test_a_queued_deploy_waits_for_the_running_one_and_is_sent_after_it(cluster, admin, sent, steps):
    def ask_again(run: addons.Run) -> None:
        deploys.request(cluster=run.cluster, by=admin)

    steps(FakeStep("one", 1, ask_again))
    deploy = deploys.request(cluster=cluster, by=admin)

    runner.run(str(deploy.pk))

    queued = cluster.deploys.get(status="queued")
    assert queued.number == 2
    assert "deploy" in sent


def test_the_page_shows_steps_and_only_new_lines(cluster, admin, sent, steps, sign_in):
    steps(FakeStep("one", 1, lambda run: run.log("info", "<b>hello</b>")))
    deploy = deploys.request(cluster=cluster, by=admin)
    runner.run(str(deploy.pk))
    client, url = sign_in(admin), f"/o/acme/clusters/{cluster.name}/deploys/1/"

    whole = client.get(url)
    tail = client.get(f"{url}?after=1", headers={"HX-Request": "true"})

    assert "&lt;b&gt;hello" in whole.content.decode()
    assert "hello" not in tail.content.decode()
    assert "one done" in tail.content.decode()
    assert "every 1s" not in whole.content.decode(), "a deploy that is over is not polled"
    assert "<html" not in tail.content.decode()


def test_the_log_can_be_downloaded(cluster, admin, sent, steps, sign_in):
    steps(FakeStep("one", 1))
    runner.run(str(deploys.request(cluster=cluster, by=admin).pk))

    response = sign_in(admin).get(f"/o/acme/clusters/{cluster.name}/deploys/1/log.txt")

    assert response.content.decode().endswith("\tinfo\tone\tone done\n")


def test_pressing_the_button_twice_leads_to_the_same_deploy(cluster, devops, sent, sign_in):
    client, url = sign_in(devops), f"/o/acme/clusters/{cluster.name}/deploy/"

    first, second = client.post(url), client.post(url)

    assert first.headers["Location"] == second.headers["Location"]


def test_the_list_does_not_grow_queries(cluster, admin, sign_in, django_assert_max_num_queries):
    for number in range(1, 21):
        Deploy.objects.create(
            cluster=cluster, number=number, by_name="x", status="succeeded", finished_at=timezone.now()
        )
    client = sign_in(admin)

    with django_assert_max_num_queries(12):
        assert client.get("/o/acme/deploys/").status_code == 200
