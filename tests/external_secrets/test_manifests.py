"""What links become in Kubernetes."""

import subprocess
import sys
import uuid

import pytest
import yaml

from external_secrets import manifests
from external_secrets.models import ExternalSecret
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


def data_from(link):
    spec = manifests.external_secret(link)["spec"]
    assert "data" not in spec
    (entry,) = spec["dataFrom"]
    return entry


def test_every_key_is_extracted(service, access):
    link = factories.make_link(service=service, access=access, takes="keys", key="app", version="AWSPREVIOUS")

    assert data_from(link) == {"extract": {"key": "app", "version": "AWSPREVIOUS"}}


def test_a_path_is_found_by_an_anchored_name(service, access):
    link = factories.make_link(service=service, access=access, takes="path", key="prod/a.b+c/")

    assert data_from(link) == {"find": {"path": "prod/a.b+c/", "name": {"regexp": r"^prod/a\.b\+c/"}}}


@pytest.mark.parametrize(("key", "regexp"), [("/prod/shop", "^/prod/shop/"), ("/", "^/")])
def test_a_path_of_parameter_store_is_no_beginning_of_a_name(service, cluster, key, regexp):
    access = factories.make_access(cluster=cluster, provider="aws-parameter-store", namespaces=["shop"])
    link = factories.make_link(service=service, access=access, takes="path", key=key)

    assert data_from(link) == {"find": {"path": key, "name": {"regexp": regexp}}}


def test_tags_are_found(service, access):
    link = factories.make_link(
        service=service, access=access, takes="tags", key="", tags={"b": "2", "a": "1"}
    )

    assert data_from(link) == {"find": {"tags": {"a": "1", "b": "2"}}}


@pytest.mark.parametrize("policy", ["Retain", "Delete", "Merge"])
def test_what_is_gone_upstream_is_dealt_with_as_chosen(service, access, policy):
    link = factories.make_link(service=service, access=access, when_gone=policy)

    target = manifests.external_secret(link)["spec"]["target"]

    assert (target["creationPolicy"], target["deletionPolicy"]) == ("Owner", policy)


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("password", "password"), ("a.b.0", "a.b.0"), ("a*b", r"a\*b"), ("what?", r"what\?"), ("@this", r"\@this"),
        ("#", r"\#"), ("a|b", r"a\|b"), (r"a\.b", r"a\.b"), ("{x}", r"\{x\}"),
    ],
)  # fmt: skip
def test_of_a_field_only_its_dots_mean_more_than_themselves(service, access, typed, query):
    link = factories.make_link(service=service, access=access, json_field=typed)

    (entry,) = manifests.external_secret(link)["spec"]["data"]

    assert entry["remoteRef"]["property"] == query


def test_a_link_with_a_variant_reads_from_its_store(service, access):
    from accesses import variants

    variant = variants.use(access, region="eu-west-1")
    link = factories.make_link(service=service, access=access, variant=variant)

    found = manifests.external_secret(link)["spec"]["secretStoreRef"]

    assert found == {"kind": "ClusterSecretStore", "name": variant.store_name}


@pytest.mark.parametrize("seconds", [60, 300, 3600, 86400])
def test_the_interval_is_about_what_was_chosen_and_never_another(service, access, seconds):
    links = [factories.make_link(service=service, access=access, refresh_seconds=seconds) for _ in range(30)]

    found = [manifests.jittered(link) for link in links]

    assert found == [manifests.jittered(ExternalSecret.objects.get(pk=link.pk)) for link in links]
    assert all(max(60, seconds * 0.9) <= one <= seconds * 1.1 for one in found)
    assert len(set(found)) > 3


def test_the_interval_of_one_id_is_the_same_for_good(service, access):
    link = factories.make_link(
        service=service,
        access=access,
        id=uuid.UUID("01234567-89ab-cdef-0123-456789abcdef"),
        refresh_seconds=3600,
    )

    assert manifests.interval(manifests.jittered(link)) == "1h2m56s"


def test_the_operators_schema_accepts_them(service, access, shared, tmp_path):
    links = [
        factories.make_link(service=service, access=access),
        factories.make_link(service=service, access=access, json_field="a", version="AWSPREVIOUS"),
        factories.make_link(service=service, access=access, variable="_" * 60),
        factories.make_link(service=service, access=access, takes="keys", version="AWSPREVIOUS"),
        factories.make_link(service=service, access=access, takes="path", key="prod/", when_gone="Merge"),
        factories.make_link(
            service=service, access=access, takes="tags", key="", tags={"env": "prod"}, when_gone="Delete"
        ),
    ]
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(manifests.external_secret(link) for link in links))

    done = subprocess.run(
        [sys.executable, shared / "tools" / "validate_manifests.py", file], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout
    assert "6 documents, 0 invalid" in done.stdout
