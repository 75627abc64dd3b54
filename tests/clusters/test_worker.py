"""A real Celery prefork worker on a real broker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection

from clusters import deploys
from config import health
from tests import factories

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True)]


def wait_for(done, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.1)


@pytest.fixture
def worker(project: Path, tmp_path: Path) -> Iterator[Path]:
    """Run a worker against the test database; yield its log file."""
    cache.delete(health.WORKER_KEY)
    settings = connection.settings_dict
    url = f"postgresql://{settings['USER']}:@/{settings['NAME']}?host={settings['HOST']}"
    log = tmp_path / "worker.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "config", "worker", "-Q", "deploys,default", "-c", "1"],
            cwd=project,
            env=os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: cache.get(health.WORKER_KEY) is not None)
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def test_a_deploy_travels_through_the_broker_to_the_worker(organization, admin, worker):
    cluster = factories.make_cluster(organization=organization, kubeconfig="not a kubeconfig: canary-value")

    deploy = deploys.request(cluster=cluster, by=admin)
    wait_for(lambda: deploy.refresh_from_db() or deploy.is_over)

    # The cluster is no cluster: what matters is that the worker said so on the row, and nothing more in its log.
    assert deploy.status == "failed"
    assert deploy.error
    assert deploy.lines.exists()
    assert "canary-value" not in worker.read_text()
