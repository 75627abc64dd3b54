"""What plays the operator reads fields, versions, every key of a secret and several secrets as the operator does."""

import base64
import json
from typing import Any

import pytest

from sandbox import reading, reading_values
from sandbox.kubernetes.operations import Options
from tests.sandbox.test_reconciler import API, cluster, condition, store, wait_for

pytestmark = pytest.mark.sandbox

__all__ = ["cluster"]

TEXT = '{"user": "u", "a.b": "dotted", "n": {"x": 1, "l": [ {"h": "z"}, 2.50, true, null]}, "a*b": "star", "big": 12345678901234567890}'


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("user", "u"), ("a.b", "dotted"), ("n.x", "1"), ("n.l.0.h", "z"), ("n.l.1", "2.5"), ("n.l.2", "true"),
        ("n.l.3", ""), (r"a\*b", "star"), ("big", "12345678901234567890"), ("n.l.0", '{"h": "z"}'),
    ],
)  # fmt: skip
def test_a_field_is_read_as_text(path, text):
    assert reading_values.field(TEXT, path, "app") == text


@pytest.mark.parametrize("path", ["nope", "n.y", "n.l.9", "user.deeper"])
def test_a_field_that_is_not_there_is_named(path):
    with pytest.raises(reading_values.Failed, match=f"key {path} does not exist in secret app"):
        reading_values.field(TEXT, path, "app")


def test_two_names_that_become_one_key_are_refused():
    with pytest.raises(reading_values.Failed, match="secret name collision during conversion: a_b"):
        reading_values.converted({"a/b": "1", "a:b": "2"}, "find")


def test_a_letter_that_no_key_has_is_refused():
    with pytest.raises(reading_values.Failed, match="can only have alphanumeric"):
        reading_values.converted({"clé": "1"}, "find")


# -- from AWS ----------------------------------------------------------------------------------------------------
@pytest.fixture
def reader(sandbox_cloud):
    """A reader with a static store of each of AWS's managers, by service."""
    from sandbox.kubernetes import Cluster

    with Cluster() as kube:
        kube.ambient_aws = sandbox_cloud.keys["administrator"]
        yield reading.Reader(kube, sandbox_cloud.url)


def aws(service: str, **more: Any) -> dict[str, Any]:
    provider = {"service": service, "region": "eu-west-3"} | more
    return {"metadata": {"name": "s"}, "spec": {"provider": {"aws": provider}}}


def test_secrets_are_found_by_the_beginning_of_their_names(reader, sandbox_cloud):
    sandbox_cloud.put("several/shop/db", "one")
    sandbox_cloud.put("several/shop/mail", "two")
    sandbox_cloud.put("several/shopping", "three")

    found = reader.find(
        aws("SecretsManager"), {"path": "several/shop/", "name": {"regexp": "^several/shop/"}}
    )

    assert found == {"several_shop_db": "one", "several_shop_mail": "two"}


def test_secrets_are_found_by_tags(reader, sandbox_cloud):
    manager = sandbox_cloud.client("secretsmanager")
    for name, team in (("several-tagged-1", "red"), ("several-tagged-2", "blue")):
        manager.create_secret(Name=name, SecretString=team, Tags=[{"Key": "colour-team", "Value": team}])

    found = reader.find(aws("SecretsManager"), {"tags": {"colour-team": "red"}})

    assert found == {"several-tagged-1": "red"}


def test_parameters_are_found_below_a_path(reader, sandbox_cloud):
    for name in ("/several/shop/db", "/several/shop/deep/mail", "/several/shopping"):
        sandbox_cloud.put_parameter(name, name[-2:])

    found = reader.find(
        aws("ParameterStore"), {"path": "/several/shop", "name": {"regexp": "^/several/shop/"}}
    )

    assert found == {"_several_shop_db": "db", "_several_shop_deep_mail": "il"}


def test_versions_are_read_by_id_stage_and_number(reader, sandbox_cloud):
    sandbox_cloud.put("several/version", "old")
    old = sandbox_cloud.client("secretsmanager").describe_secret(SecretId="several/version")[
        "VersionIdsToStages"
    ]
    sandbox_cloud.put("several/version", "new")
    sandbox_cloud.put_parameter("/several/version", "first")
    sandbox_cloud.put_parameter("/several/version", "second")
    by = lambda version: reader.value(aws("SecretsManager"), {"key": "several/version", "version": version})  # noqa: E731

    assert by("AWSPREVIOUS") == by(f"uuid/{next(iter(old))}") == "old"
    assert by("AWSCURRENT") == "new"
    parameter = {"key": "/several/version", "version": "1"}
    assert reader.value(aws("ParameterStore"), parameter) == "first"


def test_a_store_with_a_role_reads_as_that_role(reader, sandbox_cloud):
    iam = sandbox_cloud.client("iam", "administrator")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    made = iam.create_role(RoleName="several-reader", AssumeRolePolicyDocument=_policy(trust))["Role"]
    allow = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    iam.put_role_policy(RoleName="several-reader", PolicyName="read", PolicyDocument=_policy(allow))
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": made["Arn"]}
    iam.put_user_policy(UserName="administrator", PolicyName="assume", PolicyDocument=_policy(assume))
    sandbox_cloud.put("several/by-role", "seen")
    manifest = aws("SecretsManager", role=made["Arn"])

    assert reader.value(manifest, {"key": "several/by-role"}) == "seen"
    with pytest.raises(reading_values.Failed, match="AccessDenied"):
        reader.find(manifest, {"path": "several/", "name": {"regexp": "^several/"}})


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# -- what becomes of the Secret ----------------------------------------------------------------------------------
def several(cluster: Any, policy: str, *entries: dict[str, Any], name: str = "e") -> None:
    spec = {
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": "s"}, "dataFrom": list(entries),
        "target": {"name": name, "creationPolicy": "Owner", "deletionPolicy": policy}, "refreshInterval": "0h0m1s",
    }  # fmt: skip
    metadata = {"name": name, "namespace": "shop"}
    cluster.load([{"apiVersion": API, "kind": "ExternalSecret", "metadata": metadata, "spec": spec}])


def keys(cluster: Any, name: str = "e") -> list[str]:
    return sorted((cluster.get("Secret", name, "shop") or {}).get("data") or {})


def fake(*names: str) -> dict[str, Any]:
    return {"fake": {"data": [{"key": name, "value": f'{{"{name}": 1}}'} for name in names]}}


def test_every_key_of_a_json_secret_is_taken(cluster):
    store(cluster)
    several(cluster, "Retain", {"extract": {"key": "app"}})

    assert wait_for(lambda: keys(cluster)) == ["a.b", "n", "user"]


def test_an_entry_reads_from_a_store_of_its_own(cluster):
    store(cluster)
    store(cluster, "other", provider=fake("else"))
    own = {"sourceRef": {"storeRef": {"kind": "ClusterSecretStore", "name": "other"}}}
    several(cluster, "Retain", {"extract": {"key": "else"}} | own)

    assert wait_for(lambda: keys(cluster)) == ["else"]


def upstream(cluster: Any, *names: str) -> None:
    """Let exactly these secrets be upstream."""
    operations, resource = cluster.api.operations, cluster.store.by_kind("ClusterSecretStore")
    changed = cluster.get("ClusterSecretStore", "s") | {"spec": {"provider": fake(*names)}}
    operations.replace(resource, "", "s", changed, Options(manager="test"))


def vanish(cluster: Any, policy: str) -> None:
    """Let one of two secrets, then both, be gone upstream."""
    store(cluster, provider=fake("one", "two"))
    several(cluster, policy, {"extract": {"key": "one"}}, {"extract": {"key": "two"}})
    wait_for(lambda: keys(cluster) == ["one", "two"])
    upstream(cluster, "one")


def test_what_is_gone_is_retained(cluster):
    vanish(cluster, "Retain")

    wait_for(lambda: condition(cluster, "ExternalSecret", "e", "shop")["reason"] == "SecretSyncedError")
    assert keys(cluster) == ["one", "two"]


def test_only_the_keys_that_are_gone_go(cluster):
    vanish(cluster, "Merge")

    assert wait_for(lambda: keys(cluster) == ["one"])


def test_the_secret_goes_once_all_of_it_is_gone(cluster):
    vanish(cluster, "Delete")
    wait_for(lambda: keys(cluster) == ["one"])

    upstream(cluster, "elsewhere")

    wait_for(lambda: cluster.get("Secret", "e", "shop") is None)
    ready = condition(cluster, "ExternalSecret", "e", "shop")
    assert (ready["status"], ready["reason"]) == ("False", "SecretDeleted")
    assert ready["message"] == "secret deleted due to DeletionPolicy=Delete"


# -- from Google ---------------------------------------------------------------------------------------------------
@pytest.fixture
def google(sandbox_google):
    """A reader, and a store that signs in with a key."""
    from sandbox.kubernetes import Cluster

    key = base64.b64encode(sandbox_google.keys["reader"].encode()).decode()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "default"}}
    auth = {"secretRef": {"secretAccessKeySecretRef": {"name": "key", "namespace": "default", "key": "k"}}}
    provider = {"gcpsm": {"projectID": "acme-secrets", "auth": auth}}
    with Cluster() as kube:
        kube.load([secret | {"data": {"k": key}}])
        yield reading.Reader(kube, "", sandbox_google.url), {"metadata": {}, "spec": {"provider": provider}}


def test_google_finds_by_the_beginning_and_by_labels(google, sandbox_google):
    reader, manifest = google
    for name, value in (("several-shop-db", "one"), ("several-shopping", "two"), ("prod-several-x", "three")):
        sandbox_google.plant("put", project="acme-secrets", name=name, value=value)

    by_name = reader.find(manifest, {"path": "several-shop-", "name": {"regexp": "^several-shop-"}})
    by_label = reader.find(manifest, {"tags": {"stage": "prod", "team": "several"}})

    assert by_name == {"several-shop-db": "one"}
    assert by_label == {"prod-several-x": "three"}


def test_google_reads_a_version_by_number(google, sandbox_google):
    reader, manifest = google
    for value in ("first", "second"):
        sandbox_google.plant("put", project="acme-secrets", name="several-versions", value=value)

    found = [reader.value(manifest, {"key": "several-versions", "version": one}) for one in ("1", "latest")]

    assert found == ["first", "second"]
    with pytest.raises(reading_values.Missing):
        reader.value(manifest, {"key": "several-versions", "version": "9"})
