"""A real worker keeps the names fresh that somebody looks at, and asks for nothing else."""

import os
import signal
import subprocess
import sys
import time

import pytest
from django.core.cache import cache

from external_secrets import inventory_schedule
from external_secrets.models import InventoryEntry, InventoryState
from tests import factories
from tests.fast_aws import FastAws
from tests.survival.conftest import database_url

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True)]


def wait_for(done, seconds=120):
    until = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < until, list(InventoryState.objects.values())
        time.sleep(0.1)
    return found


@pytest.fixture
def aws():
    with FastAws(250) as running:
        yield running


@pytest.fixture
def worker(project, aws, tmp_path):
    """Run a worker against the test database; yield its log file."""
    cache.delete("inventory-sweep")
    environment = os.environ | {
        "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings", "AWS_ENDPOINT_URL": aws.url,
        "INVENTORY_REFRESH": "10",
    }  # fmt: skip
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-Q", "deploys,default", "-c", "1"]
    log = tmp_path / "worker.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=project, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    yield log
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)


def test_what_is_looked_at_is_read_whole_and_then_kept_fresh(organization, access, outsider, aws, worker):
    other = factories.make_cluster(organization=outsider.memberships.get().organization)
    unseen = factories.make_access(cluster=other)
    inventory_schedule.looked_at(organization)

    wait_for(lambda: InventoryState.objects.filter(access=access, read_at__isnull=False).exists())
    before = InventoryEntry.objects.filter(access=access).count()
    aws.names.put("prod/new")
    wait_for(lambda: InventoryEntry.objects.filter(access=access, name="prod/new").exists())

    assert before == 250
    assert not InventoryState.objects.filter(access=unseen).exists()
    assert set(aws.calls) == {"secretsmanager.ListSecrets"}
    assert "prod/" not in worker.read_text()
