"""What links become in Kubernetes."""

import subprocess
import sys

import pytest
import yaml

from external_secrets import manifests
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def link(service, access):
    return factories.make_link(service=service, access=access, key="prod/db", variable="DB_PASSWORD")


def test_a_link_is_one_external_secret(link, access, cluster):
    manifest = manifests.external_secret(link)

    assert manifest["metadata"] == {
        "name": f"db-password-{link.pk.hex[:8]}",
        "namespace": "shop",
        "labels": {
            "app.kubernetes.io/managed-by": "keyhaven",
            "keyhaven.io/cluster": str(cluster.pk),
            "keyhaven.io/owner": str(link.pk),
        },
    }
    assert manifest["spec"] == {
        "refreshInterval": manifests.interval(manifests.jittered(link)),
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": access.store_name},
        "target": {"name": link.object_name, "creationPolicy": "Owner", "deletionPolicy": "Retain"},
        "data": [{"secretKey": "DB_PASSWORD", "remoteRef": {"key": "prod/db"}}],
    }


def test_field_and_version_are_in_the_reference(service, access):
    link = factories.make_link(
        service=service, access=access, key="prod/db", json_field="a.b", version="uuid/" + "1" * 32
    )

    reference = manifests.external_secret(link)["spec"]["data"][0]["remoteRef"]

    assert reference == {"key": "prod/db", "property": "a.b", "version": "uuid/" + "1" * 32}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(300, "0h5m0s"), (900, "0h15m0s"), (3600, "1h0m0s"), (86400, "24h0m0s"), (3661, "1h1m1s")],
)
def test_intervals_are_written_as_the_operator_writes_them(seconds, text):
    assert manifests.interval(seconds) == text


def test_the_operators_schema_accepts_them(service, access, shared, tmp_path):
    links = [
        factories.make_link(service=service, access=access),
        factories.make_link(service=service, access=access, json_field="a", version="AWSPREVIOUS"),
        factories.make_link(service=service, access=access, variable="_" * 60),
    ]
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(manifests.external_secret(link) for link in links))

    done = subprocess.run(
        [sys.executable, shared / "tools" / "validate_manifests.py", file], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout
    assert "3 documents, 0 invalid" in done.stdout


def test_a_workloads_patch_holds_our_entries_and_nothing_else():
    entries = {("web", "B"): manifests.entry("B", "b-1"), ("web", "A"): manifests.entry("A", "a-1")}

    body = manifests.workload("StatefulSet", "shop", "db", entries)

    assert body == {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "env": [
                                {"name": "A", "valueFrom": {"secretKeyRef": {"key": "A", "name": "a-1"}}},
                                {"name": "B", "valueFrom": {"secretKeyRef": {"key": "B", "name": "b-1"}}},
                            ],
                        }
                    ]
                }
            }
        },
    }


def test_a_cron_jobs_pod_lies_deeper():
    body = manifests.workload("CronJob", "shop", "nightly", {("job", "A"): manifests.entry("A", "a-1")})

    assert body["apiVersion"] == "batch/v1"
    pod = body["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["name"] == "job"


def test_without_entries_the_patch_takes_everything_of_ours_away():
    assert manifests.workload("Deployment", "shop", "api", {}) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "shop"},
    }
