"""What applying would change, told without a request: the API server is the judge of it."""

import copy
from typing import Any

import pytest

from clusters import kubeconfig, kubernetes
from clusters.kubernetes import comparing
from sandbox.kubernetes import Cluster

pytestmark = pytest.mark.sandbox

SECRET = "canary-value-7a1f"


@pytest.fixture(scope="module")
def cluster() -> Any:
    from sandbox import world

    with Cluster() as running:
        running.load(list(world.manifests()))
        yield running


@pytest.fixture
def door(cluster):
    return kubernetes.connect_text(kubeconfig.reduce(cluster.kubeconfig()))


def settings(**data: Any) -> dict[str, Any]:
    metadata = {"name": "compared", "namespace": "shop", "labels": {"one": "1", "two": "2"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def env(*entries: dict[str, Any]) -> dict[str, Any]:
    spec = (
        {"template": {"spec": {"containers": [{"name": "web", "env": list(entries)}]}}} if entries else None
    )
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "shop"},
    } | ({"spec": spec} if spec else {})


def paths(found: list[comparing.Field]) -> list[str]:
    return [field.path for field in found]


def live(door, manifest):
    metadata = manifest["metadata"]
    return door.get(manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace"))


def test_what_was_applied_is_in_step(door):
    door.apply(settings(a="1", b="2"))

    assert comparing.differences(settings(a="1", b="2"), live(door, settings())) == []


def test_a_value_that_differs_shows_both_sides(door):
    door.apply(settings(a="1"))

    (field,) = comparing.differences(settings(a="2"), live(door, settings()))

    assert (field.path, field.before, field.after) == ("data.a", "1", "2")


def test_a_field_that_we_want_no_longer_is_taken_away(door):
    door.apply(settings(a="1", b="2"))

    (field,) = comparing.differences(settings(a="1"), live(door, settings()))

    assert (field.path, field.before, field.after) == ("data.b", "2", "")


def test_who_changed_our_field_is_named(door, cluster):
    door.apply(settings(a="1"))
    resource = cluster.store.by_kind("ConfigMap")
    theirs = copy.deepcopy(cluster.get("ConfigMap", "compared", "shop"))
    theirs["data"]["a"] = "9"
    from sandbox.kubernetes.operations import Options

    cluster.api.operations.replace(resource, "shop", "compared", theirs, Options(manager="kubectl-edit"))

    (field,) = comparing.differences(settings(a="1"), live(door, settings()))

    assert (field.before, field.after, field.owners) == ("9", "1", ("kubectl-edit",))


def test_entries_of_others_in_a_keyed_list_are_no_difference(door):
    ours = {"name": "OURS", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    door.apply(env(ours))

    assert comparing.differences(env(ours), live(door, env())) == []
    gone = comparing.differences(env(), live(door, env()))
    assert {field.after for field in gone} == {""}
    assert all(".env[OURS].valueFrom.secretKeyRef" in field.path for field in gone)


def test_the_same_value_set_by_somebody_else_becomes_ours_too(door, cluster):
    port = {"name": "PORT", "value": "8080"}

    (field,) = [f for f in comparing.differences(env(port), live(door, env())) if f.path.endswith("value")]

    assert field.before == field.after == comparing.SEALED, "a variable's literal value is never shown"


def test_a_literal_where_our_reference_was_is_not_shown(door):
    wanted = env({"name": "DB", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}})
    there = live(door, env())
    there["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "DB", "value": SECRET}]

    found = comparing.differences(wanted, there) + comparing.differences(
        env({"name": "DB", "value": "x"}), there
    )

    assert found
    assert SECRET not in repr(found)


def test_no_literal_is_shown_inside_a_bigger_value():
    text = comparing.show([{"name": "web", "env": [{"name": "DB", "value": SECRET}]}])

    assert SECRET not in text


def test_of_a_secret_only_names_and_ownership_are_compared(door, cluster):
    secret = {
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"password": "Y2FuYXJ5"},
        "metadata": {"name": "compared", "namespace": "shop", "annotations": {"digest": "1"}},
    }  # fmt: skip
    door.apply(secret)
    there = live(door, secret)

    assert comparing.differences(secret, there) == []
    changed = copy.deepcopy(secret)
    changed["metadata"]["annotations"]["digest"] = "2"
    changed["data"]["token"] = "eA=="
    found = {field.path: field for field in comparing.differences(changed, there)}
    assert set(found) == {"data.token", "metadata.annotations.digest"}
    assert found["data.token"].after == comparing.SEALED


def test_an_edited_secret_is_seen_without_reading_it(door, cluster):
    secret = {
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"password": "Y2FuYXJ5"},
        "metadata": {"name": "edited", "namespace": "shop"},
    }  # fmt: skip
    door.apply(secret)
    from sandbox.kubernetes.operations import Options

    theirs = copy.deepcopy(cluster.get("Secret", "edited", "shop"))
    theirs["data"]["password"] = "ZWRpdGVk"
    cluster.api.operations.replace(
        cluster.store.by_kind("Secret"), "shop", "edited", theirs, Options(manager="kubectl-edit")
    )

    (field,) = comparing.differences(secret, live(door, secret))

    assert (field.path, field.owners) == ("data.password", ("kubectl-edit",))


@pytest.mark.parametrize("change", range(6))
def test_the_api_server_agrees(door, cluster, change):
    """Whatever we say is in step changes nothing when it is applied, and what differs changes something."""
    base = settings(a="1", b="2")
    door.apply(base, force=True)
    wanted = copy.deepcopy(base)
    match change:
        case 1:
            wanted["data"]["a"] = "3"
        case 2:
            del wanted["data"]["b"]
        case 3:
            wanted["metadata"]["labels"] = {"one": "1"}
        case 4:
            wanted["data"]["c"] = ""
        case 5:
            wanted["metadata"]["annotations"] = {"x": "y"}
    before = live(door, base)

    said = comparing.differences(wanted, before)
    after = door.apply(wanted)

    changed = before["metadata"]["resourceVersion"] != after["metadata"]["resourceVersion"]
    assert bool(said) == changed


def test_what_is_created_is_listed_field_by_field():
    found = comparing.fields_of(settings(a="1"))

    assert paths(found) == ["data.a", "metadata.labels.one", "metadata.labels.two"]
    assert all(field.before == "" for field in found)


def test_two_configurations_are_compared_whoever_owns_what():
    found = comparing.between(settings(a="1", b="2"), settings(a="1", c="3"))

    assert {(field.path, field.before, field.after) for field in found} == {
        ("data.b", "2", ""),
        ("data.c", "", "3"),
    }
