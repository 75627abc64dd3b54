"""The sandbox cluster judges the operator's own CRDs and examples as a real one does."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.kubernetes import Cluster, answers
from sandbox.kubernetes.operations import Options

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def cluster(shared: Path) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    crds = yaml.load_all((shared / "data" / "eso-crds-2.9.0.yaml").read_text(), loader)
    with Cluster() as running:
        running.load([crd for crd in crds if crd])
        yield running


def examples(shared: Path, name: str) -> list[dict[str, Any]]:
    return [d for d in yaml.safe_load_all((shared / "data" / "eso-stores" / name).read_text()) if d]


def create(cluster: Cluster, manifest: dict[str, Any]) -> None:
    group, _, version = manifest["apiVersion"].rpartition("/")
    resource = next(
        r
        for r in cluster.store.resources.values()
        if (r.group, r.version, r.kind) == (group, version, manifest["kind"])
    )
    options = Options(manager="test", dry_run=True, strict=True)
    cluster.api.operations.create(resource, "default", manifest, options)


@pytest.mark.parametrize("name", ["stores.yaml", "externalsecrets.yaml"])
def test_valid_examples_are_accepted(cluster, shared, name):
    for manifest in examples(shared, name):
        create(cluster, manifest)


def test_bad_examples_are_refused(cluster, shared):
    accepted = []
    for manifest in examples(shared, "negative.yaml"):
        try:
            create(cluster, manifest)
        except answers.Refused as refused:
            assert refused.code in (400, 422)  # noqa: PT017
        else:
            accepted.append(manifest["metadata"]["name"])

    assert accepted == []


def test_defaults_of_the_schema_are_written(cluster, shared):
    manifest = {
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "x"},
        "spec": {"secretStoreRef": {"name": "s"}, "data": [{"secretKey": "k", "remoteRef": {"key": "r"}}]},
    }  # fmt: skip
    resource = cluster.store.by_kind("ExternalSecret")

    made = cluster.api.operations.create(resource, "default", manifest, Options())

    assert made["spec"]["target"]["creationPolicy"] == "Owner"
    assert made["spec"]["target"]["deletionPolicy"] == "Retain"
