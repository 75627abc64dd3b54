"""Cancel, retry, schedule, fairness: what a person can do with a deploy, and who comes first."""

import datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent, Membership
from clusters import addons, deploys, leases, retention, runner
from clusters.kubernetes import comparing
from clusters.models import Cluster, Deploy, DeployLine, Look
from tests import factories
from tests.clusters.conftest import FakeStep

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster(organization):
    return factories.make_cluster(organization=organization, name="prod", generation=3)


def fail(run: addons.Run) -> None:
    raise addons.StepFailed("No.", "Yes.")


class TestCancel:
    def test_a_queued_deploy_ends_at_once(self, cluster, admin, sent, steps):
        (step,) = steps(FakeStep("one", 1))
        deploy = deploys.request(cluster=cluster, by=admin)

        deploys.cancel(deploy=deploy, by=admin)
        runner.run_next()

        deploy.refresh_from_db()
        assert (deploy.status, deploy.cancelled_by) == ("cancelled", str(admin))
        assert [row.status for row in deploy.steps.all()] == ["skipped"]
        assert step.calls == 0
        told = AuditEvent.objects.order_by("sequence").values_list("action", flat=True)
        assert list(told) == ["deploy.requested", "deploy.cancelled"]

    def test_a_running_one_stops_at_the_next_safe_point_and_says_what_was_done(
        self, cluster, admin, sent, steps
    ):
        def stop(run: addons.Run) -> None:
            run.record.intend([addons.Change("create", "Secret", "s", "shop")])
            run.record.done([addons.Change("create", "Secret", "s", "shop")])
            deploys.cancel(deploy=Deploy.objects.get(), by=admin)
            run.checkpoint()
            raise AssertionError("It went on.")

        _, _, later = steps(FakeStep("one", 1), FakeStep("two", 2, stop), FakeStep("three", 3))
        deploy = deploys.request(cluster=cluster, by=admin)

        runner.run_next()

        deploy.refresh_from_db()
        cluster.refresh_from_db()
        assert deploy.status == "cancelled"
        assert [row.status for row in deploy.steps.all()] == ["succeeded", "cancelled", "skipped"]
        assert "1 change made in this step" in deploy.steps.get(slug="two").summary
        assert f"Cancelled by {admin}" in deploy.lines.last().message
        assert later.calls == 0
        assert cluster.drift == "never deployed"
        assert AuditEvent.objects.filter(action="deploy.cancelled").exists()

    def test_one_whose_worker_died_is_cancelled_by_the_next(self, cluster, admin, sent, steps):
        (step,) = steps(FakeStep("one", 1))
        deploy = deploys.request(cluster=cluster, by=admin)
        leases.take(str(deploy.pk))
        deploys.cancel(deploy=deploy, by=admin)
        Deploy.objects.update(lease_until=timezone.now() - datetime.timedelta(seconds=1))

        runner.run_next()

        deploy.refresh_from_db()
        assert deploy.status == "cancelled"
        assert step.calls == 0

    def test_one_that_is_over_cannot_be_cancelled(self, cluster, admin, sent, steps):
        steps(FakeStep("one", 1))
        deploy = deploys.request(cluster=cluster, by=admin)
        runner.run_next()

        with pytest.raises(deploys.CannotBe, match="over"):
            deploys.cancel(deploy=deploy, by=admin)


class TestRetry:
    def test_it_begins_with_the_step_that_failed(self, cluster, admin, sent, steps):
        first, second, third = steps(FakeStep("one", 1), FakeStep("two", 2), FakeStep("three", 3, fail))
        deploys.request(cluster=cluster, by=admin)
        runner.run_next()
        failed = Deploy.objects.get()
        third.act = None

        again = deploys.retry(deploy=failed, by=admin)
        runner.run_next()

        again.refresh_from_db()
        assert (again.status, again.retry_of, again.first_step) == ("succeeded", failed, "three")
        assert [row.status for row in again.steps.all()] == ["succeeded", "skipped", "succeeded"]
        assert again.steps.get(slug="two").summary == "Done in deploy 1"
        assert (first.calls, second.calls, third.calls) == (2, 1, 2), (
            "the first step finds out whether it is there"
        )

    def test_it_begins_anew_when_the_configuration_changed(self, cluster, admin, sent, steps):
        _, second, third = steps(FakeStep("one", 1), FakeStep("two", 2), FakeStep("three", 3, fail))
        deploys.request(cluster=cluster, by=admin)
        runner.run_next()
        third.act = None
        Cluster.objects.update(generation=4)

        deploys.retry(deploy=Deploy.objects.get(), by=admin)
        runner.run_next()

        assert second.calls == 2

    def test_one_that_succeeded_cannot_be_retried(self, cluster, admin, sent, steps):
        steps(FakeStep("one", 1))
        deploys.request(cluster=cluster, by=admin)
        runner.run_next()

        with pytest.raises(deploys.CannotBe):
            deploys.retry(deploy=Deploy.objects.get(), by=admin)


class TestSchedule:
    def at(self, **delta: int) -> datetime.datetime:
        return timezone.now() + datetime.timedelta(**delta)

    def ask(self, cluster: Cluster, by: Any) -> Deploy:
        window = datetime.timedelta(hours=1)
        return deploys.schedule(cluster=cluster, by=by, not_before=self.at(hours=1), window=window)

    def test_it_waits_for_its_time(self, cluster, admin, sent, steps):
        steps(FakeStep("one", 1))
        deploy = self.ask(cluster, admin)

        deploys.sweep()
        assert not runner.run_next()
        Deploy.objects.update(not_before=self.at(seconds=-1))
        deploys.sweep()
        assert runner.run_next()

        deploy.refresh_from_db()
        assert deploy.status == "succeeded"

    def test_after_its_window_it_does_not_begin(self, cluster, admin, sent, steps):
        steps(FakeStep("one", 1))
        deploy = self.ask(cluster, admin)
        Deploy.objects.update(not_before=self.at(hours=-2), not_after=self.at(hours=-1))

        deploys.sweep()

        deploy.refresh_from_db()
        assert (deploy.status, deploy.error) == ("cancelled", "Its window passed before a worker was free.")

    def test_a_queued_one_does_its_work(self, cluster, admin, sent, steps):
        steps(FakeStep("one", 1))
        deploy = self.ask(cluster, admin)
        deploys.request(cluster=cluster, by=admin)
        Deploy.objects.filter(pk=deploy.pk).update(not_before=self.at(seconds=-1))

        deploys.sweep()

        deploy.refresh_from_db()
        assert "does the same" in deploy.error

    def test_there_is_one_at_a_time_and_not_in_the_past(self, cluster, admin, sent, steps):
        self.ask(cluster, admin)

        with pytest.raises(deploys.CannotBe, match="scheduled already"):
            self.ask(cluster, admin)
        with pytest.raises(deploys.CannotBe, match="past"):
            deploys.schedule(
                cluster=cluster, by=admin, not_before=self.at(hours=-1), window=datetime.timedelta(hours=1)
            )

    def test_whoever_lost_the_right_meanwhile_gets_no_deploy(self, cluster, admin, sent, steps):
        (step,) = steps(FakeStep("one", 1))
        deploy = deploys.request(cluster=cluster, by=admin)
        Membership.objects.filter(user=admin).update(roles=["viewer"])

        runner.run_next()

        deploy.refresh_from_db()
        assert deploy.status == "failed"
        assert "may no longer deploy" in deploy.error
        assert step.calls == 0


def test_what_joins_a_retry_makes_it_a_whole_deploy(cluster, admin, devops, sent, steps):
    _, second, third = steps(FakeStep("one", 1), FakeStep("two", 2), FakeStep("three", 3, fail))
    deploys.request(cluster=cluster, by=admin)
    runner.run_next()
    third.act = None

    again = deploys.retry(deploy=Deploy.objects.get(), by=admin)
    joined = deploys.request(cluster=cluster, by=devops)
    runner.run_next()

    joined.refresh_from_db()
    assert joined == again
    assert (joined.by, joined.status, second.calls) == (devops, "succeeded", 2)


def test_a_retry_after_another_run_does_everything(cluster, admin, sent, steps):
    _, second, third = steps(FakeStep("one", 1), FakeStep("two", 2), FakeStep("three", 3, fail))
    deploys.request(cluster=cluster, by=admin)
    runner.run_next()
    third.act = None
    deploys.request(cluster=cluster, by=admin)
    runner.run_next()

    deploys.retry(deploy=Deploy.objects.get(number=1), by=admin)
    runner.run_next()

    assert second.calls == 3


def test_one_that_waited_beyond_its_window_does_not_begin(cluster, admin, sent, steps):
    (step,) = steps(FakeStep("one", 1))
    window = datetime.timedelta(hours=1)
    soon = timezone.now() + datetime.timedelta(hours=1)
    deploy = deploys.schedule(cluster=cluster, by=admin, not_before=soon, window=window)
    Deploy.objects.update(status="queued", not_after=timezone.now() - window)

    runner.run_next()

    deploy.refresh_from_db()
    assert (deploy.status, step.calls) == ("cancelled", 0)


def test_uninstalling_is_never_mixed_up_with_a_deploy(cluster, admin, sent, steps):
    steps(FakeStep("one", 1))
    soon = timezone.now() + datetime.timedelta(hours=1)
    deploys.schedule(cluster=cluster, by=admin, not_before=soon, window=datetime.timedelta(hours=1))

    with pytest.raises(deploys.CannotBe, match="scheduled"):
        deploys.uninstall(cluster=cluster, by=admin)


def test_a_deploy_whose_configuration_cannot_be_read_ends_and_says_nothing_of_it(
    cluster, admin, sent, monkeypatch, caplog
):
    monkeypatch.setattr(addons, "_steps", {"deploy": {"one": FakeStep("one", 1)}})
    with connection.cursor() as cursor:
        cursor.execute("UPDATE clusters_cluster SET kubeconfig = 'gAAAAAbroken-canary'")
    deploy = deploys.request(cluster=Cluster.objects.get(), by=admin)

    runner.run_next()

    deploy.refresh_from_db()
    assert deploy.status == "failed"
    assert "Unreadable" in deploy.error
    assert "canary" not in deploy.error + caplog.text


def test_the_beat_goes_on_whatever_breaks(monkeypatch, caplog):
    from config import worker

    calls: list[str] = []
    monkeypatch.setattr(
        worker, "_ended", type("Once", (), {"is_set": lambda s: len(calls) > 0, "wait": lambda s, t: 0})()
    )
    monkeypatch.setattr(deploys, "sweep", lambda: 1 / 0)
    monkeypatch.setattr(retention, "sweep", lambda: calls.append("retention"))

    worker._beat()

    assert calls == ["retention"]
    assert "ZeroDivisionError" in caplog.text


def test_the_end_of_a_long_log_is_shown(cluster, admin, sign_in):
    now = timezone.now()
    deploy = Deploy.objects.create(
        cluster=cluster, number=1, by_name="x", status="failed", finished_at=now, started_at=now
    )
    DeployLine.objects.bulk_create(
        DeployLine(deploy=deploy, step="x", number=number, message=f"line-{number}.")
        for number in range(1, 2501)
    )

    page = sign_in(admin).get("/o/acme/clusters/prod/deploys/1/").content.decode()

    assert "line-2500." in page
    assert "The first 500 lines are in the download" in page


def test_requests_during_a_run_become_one_that_carries_them_all(cluster, admin, devops, sent, steps):
    def ask(run: addons.Run) -> None:
        deploys.request(cluster=cluster, by=admin, reason="first")
        deploys.request(cluster=cluster, by=devops, reason="second", overwrite=["Secret shop/s"])
        Cluster.objects.update(generation=9)

    (step,) = steps(FakeStep("one", 1, ask))
    deploys.request(cluster=cluster, by=admin)
    runner.run_next()
    step.act = None

    queued = Deploy.objects.get(status="queued")
    runner.run_next()

    queued.refresh_from_db()
    cluster.refresh_from_db()
    assert Deploy.objects.count() == 2
    assert (queued.reason, queued.overwrite) == ("first; second", ["Secret shop/s"])
    assert (queued.status, queued.generation, cluster.drift) == ("succeeded", 9, "up to date")
    assert AuditEvent.objects.filter(action="deploy.joined").count() == 1


def test_an_organization_with_many_clusters_delays_nobody(sent, steps):
    steps(FakeStep("one", 1))
    asked = []
    for organization, count in ((factories.make_organization(), 5), (factories.make_organization(), 1)):
        by = factories.make_member(organization, "admin")
        for _ in range(count):
            cluster = factories.make_cluster(organization=organization)
            asked.append(deploys.request(cluster=cluster, by=by))

    order = leases.due()

    # The lone one of the second organization comes right after the first of the first.
    assert order[:2] == [str(asked[0].pk), str(asked[5].pk)]
    leases.take(order[0])
    assert leases.due()[0] == str(asked[5].pk), "what runs counts"


def test_a_zombie_cannot_write_into_the_log(cluster, admin, sent, steps):
    def lose(run: addons.Run) -> None:
        Deploy.objects.update(fence=2)
        DeployLine.objects.create(deploy=Deploy.objects.get(), step="one", number=1, message="the other")
        run.log("info", "mine")

    steps(FakeStep("one", 1, lose))
    deploy = deploys.request(cluster=cluster, by=admin)

    runner.run_next()

    deploy.refresh_from_db()
    assert [line.message for line in deploy.lines.all()] == ["the other"]
    assert deploy.status == "running", "the other goes on"


def test_a_late_line_of_a_zombie_does_not_stop_the_rightful_worker(cluster, admin, sent, steps):
    def late(run: addons.Run) -> None:
        DeployLine.objects.create(deploy=Deploy.objects.get(), step="one", number=1, message="late")
        run.log("info", "mine")

    steps(FakeStep("one", 1, late))
    deploy = deploys.request(cluster=cluster, by=admin)

    runner.run_next()

    deploy.refresh_from_db()
    assert [line.message for line in deploy.lines.all()] == ["late", "mine", "one done"]
    assert deploy.status == "succeeded"


def test_old_deploys_go_but_never_the_last_success(cluster, settings):
    settings.DEPLOY_DAYS = 30
    old = timezone.now() - datetime.timedelta(days=31)
    for number, status, at in (
        (1, "succeeded", old), (2, "succeeded", old), (3, "failed", old), (4, "failed", timezone.now()),
    ):  # fmt: skip
        Deploy.objects.create(cluster=cluster, number=number, by_name="x", status=status, finished_at=at)
    retention.cache.delete("deploy-retention")

    assert retention.sweep() == 2
    assert sorted(Deploy.objects.values_list("number", flat=True)) == [2, 4]
    assert retention.sweep() == 0, "once an hour"


class TestPages:
    url = "/o/acme/clusters/prod/"

    def test_cancel_and_retry(self, cluster, admin, sent, steps, sign_in):
        steps(FakeStep("one", 1, fail))
        client = sign_in(admin)
        client.post(f"{self.url}deploy/", {"reason": "ticket 7"})

        waiting = client.get(f"{self.url}deploys/1/").content.decode()
        client.post(f"{self.url}deploys/1/cancel/")
        client.post(f"{self.url}deploy/")
        runner.run_next()
        failed = client.get(f"{self.url}deploys/2/").content.decode()
        again = client.post(f"{self.url}deploys/2/retry/")

        assert 'id="cancel"' in waiting
        assert "ticket 7" in waiting
        assert Deploy.objects.get(number=1).status == "cancelled"
        assert 'id="retry"' in failed
        assert again.headers["Location"] == f"{self.url}deploys/3/"

    def test_scheduling_says_what_is_wrong_at_the_field(self, cluster, admin, sent, sign_in):
        client = sign_in(admin)

        nothing = client.post(f"{self.url}deploy/", {"later": "1"})
        past = client.post(
            f"{self.url}deploy/", {"later": "1", "not_before": "2020-01-01T10:00", "window": "60"}
        )
        soon = (timezone.now() + datetime.timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")
        well = client.post(f"{self.url}deploy/", {"later": "1", "not_before": soon, "window": "120"})

        assert (nothing.status_code, past.status_code, well.status_code) == (422, 422, 302)
        assert "Say when it should begin" in nothing.content.decode()
        assert "That time is past" in past.content.decode()
        deploy = Deploy.objects.get()
        assert deploy.not_after - deploy.not_before == datetime.timedelta(hours=2)
        assert "Deploy 1 begins at" in client.get(self.url).content.decode()

    def test_history_is_filtered_and_paged_by_key(self, cluster, admin, sign_in):
        now = timezone.now()
        Deploy.objects.bulk_create(
            Deploy(
                cluster=cluster, number=number, by_name="Sam" if number % 2 else "Kim", finished_at=now,
                status="failed" if number % 10 == 0 else "succeeded", error="boom" if number % 10 == 0 else "",
            )
            for number in range(1, 121)
        )  # fmt: skip
        client = sign_in(admin)

        first = client.get("/o/acme/deploys/")
        more = client.get("/o/acme/deploys/" + first.context["more"])
        failed = client.get("/o/acme/deploys/?status=failed&q=boom&cluster=prod&since=2020-01-01")
        nothing = client.get("/o/acme/deploys/?q=nobody")
        broken = client.get("/o/acme/deploys/?after=x&since=y&cluster=nope&status=z")

        seen = [row["deploy"].pk for page in (first, more) for row in page.context["rows"]]
        assert len(set(seen)) == 100
        assert len(failed.context["rows"]) == 12
        assert "No deploy matches" in nothing.content.decode()
        assert broken.status_code == 200

    def test_two_deploys_are_compared(self, cluster, admin, sign_in):
        def snapshot(**spec: str) -> list[dict[str, Any]]:
            metadata = {"name": "a", "namespace": "shop"}
            return [{"apiVersion": "x/v1", "kind": "ExternalSecret", "metadata": metadata, "spec": spec}]

        now = timezone.now()
        for number, found in ((1, snapshot(refresh="1h")), (2, snapshot(refresh="5m"))):
            Deploy.objects.create(
                cluster=cluster,
                number=number,
                by_name="x",
                status="succeeded",
                finished_at=now,
                snapshot=found,
            )
        client = sign_in(admin)

        page = client.get(f"{self.url}deploys/compare/?n=2&n=1").content.decode()

        assert "From deploy 1 to deploy 2" in page
        assert "ExternalSecret shop/a" in page
        assert page.index("1h") < page.index("5m")
        assert client.get(f"{self.url}deploys/compare/?n=2").status_code == 422
        assert client.get(f"{self.url}deploys/compare/?n=2&n=77").status_code == 404

    def test_ten_viewers_do_not_cost_ten_times_the_queries(self, cluster, admin, sent, steps, sign_in):
        steps(FakeStep("one", 1))
        deploy = deploys.request(cluster=cluster, by=admin)
        leases.take(str(deploy.pk))
        client = sign_in(admin)
        url = f"{self.url}deploys/1/?after=0"
        client.get(url, headers={"HX-Request": "true"})

        with CaptureQueriesContext(connection) as queries:
            for _ in range(10):
                client.get(url, headers={"HX-Request": "true"})

        of_progress = [
            q for q in queries if "clusters_deployline" in q["sql"] or "clusters_deploystep" in q["sql"]
        ]
        assert len(of_progress) <= 4, "steps and lines are read once a second, whoever watches"
        assert len(queries) <= 60

    def test_hostile_names_are_text_on_every_page_of_a_deploy(self, cluster, admin, sign_in):
        hostile = '<script>alert(1)</script>"onmouseover=x'
        now = timezone.now()
        change = addons.Change(
            "change", hostile, hostile, hostile, (comparing.Field(hostile, hostile, hostile, (hostile,)),),
            ((hostile, hostile),), hostile, True,
        )  # fmt: skip
        facts = change.facts()
        Look.objects.create(
            cluster=cluster, at=now, error=hostile, remedy=hostile,
            changes=[facts | {"step": hostile, "causes": ["cluster"], "deployed": {hostile: hostile}}],
        )  # fmt: skip
        metadata = {"name": hostile, "namespace": hostile}
        deploy = Deploy.objects.create(
            cluster=cluster, number=1, by_name=hostile, reason=hostile, status="failed", error=hostile,
            remedy=hostile, started_at=now, finished_at=now,
            snapshot=[{"kind": hostile, "metadata": metadata, "spec": {hostile: hostile}}],
        )  # fmt: skip
        Deploy.objects.create(
            cluster=cluster, number=2, by_name=hostile, status="succeeded", finished_at=now, snapshot=[]
        )
        deploy.lines.create(step=hostile, number=1, level="error", message=hostile)
        deploy.changes.create(step="x", kind="k", name="n", facts=facts)
        client = sign_in(admin)

        pages = ("", "changes/", "deploys/", "deploys/1/", "deploys/compare/?n=1&n=2")
        for page in (*(f"{self.url}{one}" for one in pages), "/o/acme/deploys/"):
            text = client.get(page).content.decode()
            assert "<script>alert" not in text, page
            assert '"onmouseover' not in text, page

    def test_a_deploy_that_never_began_does_not_say_that_its_steps_are_done(
        self, cluster, admin, sent, steps, sign_in
    ):
        steps(FakeStep("one", 1))
        deploys.cancel(deploy=deploys.request(cluster=cluster, by=admin), by=admin)

        page = sign_in(admin).get(f"{self.url}deploys/1/").content.decode()

        assert "Never began" in page
        assert "steps done" not in page

    def test_a_scheduled_deploy_is_not_asked_for_each_second(self, cluster, admin, sent, steps, sign_in):
        soon = timezone.now() + datetime.timedelta(hours=2)
        deploys.schedule(cluster=cluster, by=admin, not_before=soon, window=datetime.timedelta(hours=1))

        page = sign_in(admin).get(f"{self.url}deploys/1/").content.decode()

        assert 'hx-trigger="every 30s"' in page
        assert "or not at all after" in page
