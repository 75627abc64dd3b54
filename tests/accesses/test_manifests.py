"""What an access becomes in the cluster satisfies the operator's own schema."""

import importlib.util
import subprocess
import sys

import pytest
import yaml

from accesses import manifests
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def access():
    return factories.make_access(namespaces=["shop", "billing"])


def test_the_store_is_open_to_its_namespaces_only(access):
    store = manifests.store(access)

    assert store["spec"]["conditions"] == [{"namespaces": ["billing", "shop"]}]
    assert store["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "keyhaven"
    assert store["metadata"]["labels"]["keyhaven.io/owner"] == str(access.pk)


def test_the_store_names_the_keys_of_its_secret(access):
    store, secret = manifests.store(access), manifests.secret(access)
    assert secret is not None

    references = store["spec"]["provider"]["aws"]["auth"]["secretRef"].values()

    assert {reference["key"] for reference in references} == set(secret["data"])
    assert {(reference["name"], reference["namespace"]) for reference in references} == {
        (secret["metadata"]["name"], secret["metadata"]["namespace"])
    }


def test_a_session_token_is_referred_to_when_there_is_one(access):
    access.credential = access.credential | {"session_token": "t"}

    assert "sessionTokenSecretRef" in manifests.store(access)["spec"]["provider"]["aws"]["auth"]["secretRef"]


def test_names_are_unique_and_fit(access):
    twin = factories.make_access(cluster=factories.make_cluster(), name=access.name)

    assert access.store_name != twin.store_name
    assert len(factories.make_access(name="a" * 40).store_name) <= 63


def test_they_satisfy_the_operators_schema(access, shared, tmp_path):
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all([manifests.store(access), manifests.secret(access)]))
    assert importlib.util.find_spec("jsonschema")

    checked = subprocess.run(
        [sys.executable, str(shared / "tools" / "validate_manifests.py"), str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert checked.returncode == 0, checked.stdout + checked.stderr
