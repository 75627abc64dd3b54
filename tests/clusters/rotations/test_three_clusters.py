"""A whole rotation over three sandbox clusters, one of which fails in the middle, with real keys at moto."""

import base64
import contextlib
import datetime
import time
from typing import Any

import pytest

from accounts.models import AuditEvent
from clusters import kubeconfig
from clusters import services as clusters
from clusters.models import Cluster, ConnectDraft, Rotation
from clusters.rotations import making, moving, retiring, services, undoing
from sandbox import world
from sandbox.kubernetes import Cluster as SandboxCluster
from sandbox.reconciler import Reconciler
from tests.clusters.rotations.conftest import run_deploys
from tests.test_canary import tables
from tests.test_main_job import deploy, lines, link, make_access

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db(transaction=True)]
NAMES = ("one", "three", "two")


@pytest.fixture
def kubes(sandbox_cloud):
    """Three sandbox clusters, each with what plays the operator in it."""
    with contextlib.ExitStack() as stack:
        found = {}
        for name in NAMES:
            cluster = stack.enter_context(SandboxCluster())
            cluster.load(list(world.manifests()))
            reconciler = Reconciler(cluster, sandbox_cloud.url)
            reconciler.start()
            stack.callback(reconciler.stop)
            found[name] = cluster
        yield found


@pytest.fixture
def deployed(kubes, credential, messages, organization, devops, settings, project):
    """The three clusters, connected, each with an access that uses the credential and a linked secret; deployed."""
    settings.OPERATOR_CHART = str(project / "sandbox" / "chart" / "external-secrets")
    settings.SYNC_TIMEOUT = 8
    settings.CLUSTER_PATIENCE, settings.CLUSTER_RETRIES = 2, 3
    found = {}
    for name, kube in kubes.items():
        text = kubeconfig.reduce(kube.kubeconfig())
        draft = ConnectDraft.objects.create(organization=organization, by=devops, kubeconfig=text)
        cluster = clusters.connect(draft=draft, name=name, by=devops)
        access = make_access(cluster, ("", ""), devops, credential={}, cloud_credential=credential)
        link(access, devops)
        made = deploy(cluster, devops)
        assert made.status == "succeeded", lines(made)
        found[name] = access
    return found


def key_in(kube: Any, access: Any) -> str:
    """Return the access key that a cluster's operator signs in with."""
    secret = kube.get("Secret", access.store_name, "external-secrets")
    values = [base64.b64decode(value).decode() for value in secret["data"].values()]
    return next(value for value in values if value.startswith("AKIA"))


def keys_in(kubes: Any, deployed: Any) -> dict[str, str]:
    return {name: key_in(kubes[name], deployed[name]) for name in NAMES}


def words(rotation: Rotation) -> dict[str, str]:
    return {state.name: state.word for state in moving.states(rotation)}


def ask_all(rotation: Rotation, by: Any) -> moving.Asked:
    return moving.deploy(rotation=rotation, by=by, may=lambda name: True)


def test_one_of_three_fails_in_the_middle_and_nothing_is_lost(
    kubes, deployed, credential, user, devops, admin, messages, monkeypatch, caplog
):
    old = user.first["access_key_id"]
    monkeypatch.setattr(retiring, "GRACE", datetime.timedelta(0))

    # The console makes the key.
    rotation = making.ask(credential=credential, by=admin)
    making.make(**messages[0])
    credential.refresh_from_db()
    new_secret = credential.secret
    new = new_secret["access_key_id"]
    assert user.statuses() == {old: "Active", new: "Active"}
    assert keys_in(kubes, deployed) == dict.fromkeys(NAMES, old)
    assert {c.name: c.drift for c in Cluster.objects.all()} == dict.fromkeys(NAMES, "out of date")

    # All are deployed; the API server of one refuses its Secret.
    kubes["two"].faults.answer("/api/v1/namespaces/external-secrets/secrets", 500, "etcd is away")
    asked = ask_all(rotation, devops)
    run_deploys()
    rotation.refresh_from_db()
    assert sorted(asked.clusters) == sorted(NAMES)
    assert words(rotation) == {"one": "moved", "three": "moved", "two": "failed"}
    assert keys_in(kubes, deployed) == {"one": new, "three": new, "two": old}
    assert rotation.status == "moving"
    assert user.works(user.first)
    with pytest.raises(services.CannotBe, match="Not all clusters"):
        retiring.disable(rotation=rotation, by=admin)

    # The one that failed is tried again.
    kubes["two"].faults.clear()
    again = ask_all(rotation, devops)
    run_deploys()
    rotation.refresh_from_db()
    assert again.clusters == ["two"]
    assert words(rotation) == dict.fromkeys(NAMES, "moved")
    assert keys_in(kubes, deployed) == dict.fromkeys(NAMES, new)
    assert rotation.status == "confirming"
    # AWS tells uses to the second.
    time.sleep(1.1)
    assert user.works(user.first)

    # The old key is disabled and deleted; that it was tried, above, is a use that has to be overridden.
    retiring.disable(rotation=rotation, by=admin)
    assert not user.works(user.first)
    assert user.works(new_secret)
    with pytest.raises(services.CannotBe, match="was used after"):
        retiring.delete(rotation=rotation, by=admin)
    retiring.delete(rotation=rotation, by=admin, override=True)
    rotation.refresh_from_db()
    assert user.statuses() == {new: "Active"}
    assert (rotation.status, rotation.old, rotation.old_secret) == ("done", "deleted", None)
    for access in deployed.values():
        access.refresh_from_db()
        assert access.external_secrets.get().status == "in sync"

    # No value was written down anywhere.
    events = " ".join(str(event.details) for event in AuditEvent.objects.all())
    everything = " ".join(tables().values()) + events + caplog.text + str(messages)
    for secret in (user.first, new_secret):
        assert secret["secret_access_key"] not in everything


def test_taken_back_in_the_middle_everything_ends_with_the_old_key(
    kubes, deployed, credential, user, devops, admin, messages, monkeypatch
):
    old = user.first["access_key_id"]
    monkeypatch.setattr(retiring, "GRACE", datetime.timedelta(0))
    rotation = making.ask(credential=credential, by=admin)
    making.make(**messages[0])
    moving.deploy(rotation=rotation, by=devops, may=lambda name: name == "one")
    run_deploys()
    new = key_in(kubes["one"], deployed["one"])

    back = undoing.take_back(rotation=Rotation.objects.get(pk=rotation.pk), by=admin)
    still_there = user.statuses()
    ask_all(back, devops)
    run_deploys()
    back.refresh_from_db()

    assert new != old
    assert still_there == {old: "Active", new: "Active"}, "one cluster signs in with the new key"
    assert keys_in(kubes, deployed) == dict.fromkeys(NAMES, old)
    assert back.status == "confirming"
    assert services.key_of(back.old_facts) == new
    retiring.disable(rotation=back, by=admin)
    retiring.delete(rotation=back, by=admin, override=True)
    assert user.statuses() == {old: "Active"}
