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
