"""Preview and drift, on the sandbox: what a deploy would change, because of us or of somebody in the cluster."""

import copy
import time
from typing import Any

import pytest

from clusters import deploys, looks, runner
from clusters import services as clusters
from clusters.models import Cluster, Look
from external_secrets import manifests
from external_secrets.models import ExternalSecret
from sandbox.kubernetes.operations import Options
from tests.test_main_job import _no_broker, access, connected, link  # noqa: F401  fixtures

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db(transaction=True)]


def look(cluster: Cluster) -> Look:
    looks.take(str(cluster.pk))
    return Look.objects.get(cluster=cluster)


def deploy(cluster: Cluster, by: Any, **options: Any) -> Any:
    made = deploys.request(cluster=cluster, by=by, **options)
    runner.run_next()
    made.refresh_from_db()
    return made


def actions(seen: Look) -> dict[str, tuple[str, list[str]]]:
    return {f"{one['kind']}": (one["action"], one["causes"]) for one in seen.changes}


def writes(kube: Any) -> list[Any]:
    """Return the requests that wrote: the sandbox keeps every one it got."""
    reviews = ("accessreviews", "selfsubjectreviews")
    return [
        (method, path)
        for method, path, _ in kube.requests
        if method in ("POST", "PUT", "PATCH", "DELETE")
        and "dryRun=All" not in path
        and not any(word in path for word in reviews)
    ]


def edit(kube: Any, kind: str, name: str, namespace: str, act: Any, manager: str = "kubectl-edit") -> None:
    theirs = copy.deepcopy(kube.get(kind, name, namespace))
    act(theirs)
    kube.api.operations.replace(kube.store.by_kind(kind), namespace, name, theirs, Options(manager=manager))


def every(row: Any, seconds: int) -> str:
    """Return how the operator writes the interval of a link that is read so often."""
    return manifests.interval(manifests.jittered(ExternalSecret(pk=row.pk, refresh_seconds=seconds)))


@pytest.fixture
def kube(sandbox_cluster):
    return sandbox_cluster


@pytest.fixture
def deployed(access, devops, kube):  # noqa: F811
    link(access, devops)
    made = deploy(access.cluster, devops)
    assert made.status == "succeeded", [line.message for line in made.lines.all()]
    kube.requests.clear()
    return made


def test_a_preview_says_everything_and_writes_nothing(access, devops, kube):  # noqa: F811
    link(access, devops)
    kube.requests.clear()

    seen = look(access.cluster)

    assert seen.error == ""
    assert [(one["kind"], one["action"], one["restarts"]) for one in seen.changes] == [
        ("Release", "create", False),
        ("Secret", "create", False),
        ("ClusterSecretStore", "create", False),
        ("ExternalSecret", "create", False),
        ("Deployment", "change", True),
    ]
    assert all(one["causes"] == ["configuration"] for one in seen.changes)
    assert writes(kube) == []
    assert access.credential["secret_access_key"] not in str(seen.changes)


def test_after_a_deploy_everything_is_in_step(deployed, kube):
    seen = look(deployed.cluster)

    assert (seen.changes, seen.error) == ([], "")
    assert seen.unchanged >= 4
    assert writes(kube) == []


def test_what_was_planned_is_what_was_done(access, devops, kube):  # noqa: F811
    link(access, devops)
    planned = {
        (one["kind"], one["namespace"], one["name"]): one["action"] for one in look(access.cluster).changes
    }

    made = deploy(access.cluster, devops)

    done = {(row.kind, row.namespace, row.name): row.facts["action"] for row in made.changes.all()}
    assert {key: action for key, action in planned.items() if key[0] != "Release"} == {
        key: action for key, action in done.items() if key[0] != "Release"
    }
    assert all(row.done_at for row in made.changes.all())


def test_a_deploy_without_a_change_writes_nothing(deployed, devops, kube):
    again = deploy(deployed.cluster, devops)

    assert again.status == "succeeded"
    assert writes(kube) == [], "the sandbox's own log of requests"
    assert not again.changes.exists()


def test_a_changed_configuration_is_ours(deployed, devops, kube):
    row = deployed.cluster.accesses.get().external_secrets.get()
    row.refresh_seconds = 7200
    row.save()
    clusters.changed(deployed.cluster)

    seen = look(deployed.cluster)

    (change,) = seen.changes
    assert (change["kind"], change["causes"]) == ("ExternalSecret", ["configuration"])
    (field,) = change["fields"]
    assert (field["path"], field["before"], field["after"]) == (
        "spec.refreshInterval",
        every(row, 3600),
        every(row, 7200),
    )


def test_an_edit_in_the_cluster_is_theirs_and_is_not_overwritten_without_a_decision(
    deployed, devops, kube, sign_in
):
    row = deployed.cluster.accesses.get().external_secrets.get()
    edit(kube, "ExternalSecret", row.object_name, "shop", lambda m: m["spec"].update(refreshInterval="5m0s"))

    seen = look(deployed.cluster)
    page = sign_in(devops).get("/o/acme/clusters/prod/").content.decode()
    refused = deploy(deployed.cluster, devops)
    kept = kube.get("ExternalSecret", row.object_name, "shop")["spec"]["refreshInterval"]
    path = f"ExternalSecret shop/{row.object_name}"
    other = deploy(deployed.cluster, devops, overwrite=[f"{path}|argocd .spec.refreshInterval"])
    decided = deploy(deployed.cluster, devops, overwrite=[f"{path}|kubectl-edit .spec.refreshInterval"])

    (change,) = seen.changes
    assert change["causes"] == ["cluster"]
    assert change["conflicts"] == [["kubectl-edit", ".spec.refreshInterval"]]
    assert change["fields"][0]["owners"] == ["kubectl-edit"]
    assert "Somebody changed 1 object in the cluster" in page
    assert "Changed in the cluster" in page
    assert (refused.status, kept) == ("failed", "5m0s")
    assert "kubectl-edit" in refused.error
    assert other.status == "failed", "that decision was about somebody else"
    assert decided.status == "succeeded", decided.error
    assert kube.get("ExternalSecret", row.object_name, "shop")["spec"]["refreshInterval"] == every(row, 3600)
    assert look(deployed.cluster).changes == []


def test_a_deleted_object_is_drift_and_comes_back_by_a_deploy(deployed, devops, kube):
    store = deployed.cluster.accesses.get().store_name
    resource = kube.store.by_kind("ClusterSecretStore")
    kube.store.remove((resource.group, resource.plural, "", store))

    seen = look(deployed.cluster)
    again = deploy(deployed.cluster, devops)

    assert actions(seen) == {"ClusterSecretStore": ("create", ["cluster"])}
    assert again.status == "succeeded"
    assert kube.get("ClusterSecretStore", store) is not None


def test_an_edited_credential_is_seen_without_reading_it(deployed, devops, kube):
    store = deployed.cluster.accesses.get().store_name
    wrong = "d3JvbmctY2FuYXJ5"
    edit(kube, "Secret", store, "external-secrets", lambda m: m["data"].update({"secret-access-key": wrong}))

    seen = look(deployed.cluster)

    (change,) = seen.changes
    assert (change["kind"], change["causes"]) == ("Secret", ["cluster"])
    assert change["fields"][0]["path"] == "data.secret-access-key"
    assert wrong not in str(seen.changes)
    assert all("/secrets" not in path or method == "GET" for method, path in writes(kube))


def test_a_cluster_that_does_not_answer_is_said_and_the_last_look_stays(deployed, kube, settings):
    settings.CLUSTER_TIMEOUT = 1
    well = look(deployed.cluster)
    kube.faults.answer(".", 503, "not now")

    seen = look(deployed.cluster)

    assert "not now" in seen.error
    assert seen.changes == well.changes
    assert seen.held_until is None


def test_the_sweep_looks_every_few_minutes_and_never_twice_at_once(deployed, settings, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(looks, "_send", sent.append)
    Look.objects.all().delete()

    assert looks.sweep() == 1
    assert looks.sweep() == 0, "asked a moment ago"
    look(deployed.cluster)
    looks.cache.clear()
    assert looks.sweep() == 0, "it was looked at"
    Look.objects.update(at=deployed.created_at.replace(year=2020))
    assert looks.sweep() == 1
    assert settings.LOOK_SECONDS <= 300
    Look.objects.update(held_until=deployed.created_at.replace(year=2999))
    looks.cache.clear()
    assert looks.sweep() == 0, "a worker is at it"


def test_the_page_waits_for_the_look_and_then_shows_it(access, devops, kube, sign_in):  # noqa: F811
    link(access, devops)
    client = sign_in(devops)

    asked = client.post("/o/acme/clusters/prod/changes/look/")
    waiting = client.get(asked.headers["Location"], headers={"HX-Request": "true"}).content.decode()
    look(access.cluster)
    seen = client.get(asked.headers["Location"]).content.decode()

    assert 'hx-trigger="every 1s"' in waiting
    assert "<html" not in waiting
    assert 'hx-trigger="every 1s"' not in seen
    assert "1 workload would restart" in seen
    assert "data.secret-access-key" in seen
    assert access.credential["secret_access_key"] not in seen


def test_a_store_that_fails_and_recovers_between_deploys_is_seen_by_the_looks(
    deployed, kube, sign_in, devops
):
    access = deployed.cluster.accesses.get()  # noqa: F811
    secret = kube.store.by_kind("Secret")
    kept = copy.deepcopy(kube.get("Secret", access.store_name, "external-secrets"))
    kube.store.remove((secret.group, secret.plural, "external-secrets", access.store_name))

    wait(lambda: ready(kube, access.store_name) == "False")
    look(deployed.cluster)
    access.refresh_from_db()
    failed = (access.validated, access.validated_reason)
    page = sign_in(devops).get(f"/o/acme/clusters/prod/secret-managers/{access.name}/")
    kube.load([kept])
    wait(lambda: ready(kube, access.store_name) == "True")
    look(deployed.cluster)
    access.refresh_from_db()

    assert failed == (False, "The credential of the store is not in the cluster.")
    assert "Deploy: it brings the credential back." in page.content.decode()
    assert "Changed in the cluster, seen" in page.content.decode()
    assert access.validated is True


def ready(kube: Any, name: str) -> str:
    conditions = (kube.get("ClusterSecretStore", name).get("status") or {}).get("conditions") or [{}]
    return str(conditions[0].get("status"))


def wait(done: Any) -> None:
    until = time.monotonic() + 10
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_the_operator_said_outlives_its_events(deployed, devops, kube, sign_in):
    row = ExternalSecret.objects.get()
    about = {"kind": "ExternalSecret", "name": row.object_name, "namespace": "shop"}
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e1", "namespace": "shop"}, "type": "Warning",
        "reason": "UpdateFailed", "message": "could not get secret data: token eyJhbGciOiJIUzI1NiJ9.abcdefgh.xyz",
        "lastTimestamp": "2026-11-21T08:00:00Z", "count": 4, "involvedObject": about,
    }  # fmt: skip
    kube.load([event])
    look(deployed.cluster)
    events = kube.store.by_kind("Event")
    kube.store.remove((events.group, events.plural, "shop", "e1"))

    look(deployed.cluster)

    row.refresh_from_db()
    page = sign_in(devops).get(f"/o/acme/clusters/prod/services/{row.service_id}/").content.decode()
    (kept,) = [one for one in row.events if one["reason"] == "UpdateFailed"]
    assert (kept["count"], kept["at"]) == (4, "2026-11-21T08:00:00+00:00")
    assert "eyJ" not in kept["message"]
    assert "What the operator said" in page
    assert "(4 times)" in page


def test_a_changed_store_has_its_secrets_read_again(deployed, devops, kube):
    access = deployed.cluster.accesses.get()  # noqa: F811
    row = ExternalSecret.objects.get()
    access.namespaces = [*access.namespaces, "billing"]
    access.save()

    made = deploy(deployed.cluster, devops)

    annotations = kube.get("ExternalSecret", row.object_name, "shop")["metadata"]["annotations"]
    assert made.status == "succeeded"
    assert "force-sync" in annotations
    assert any("Asked the operator to read 1 secret again" in line.message for line in made.lines.all())


def test_the_three_sides_of_a_field_are_shown(deployed, devops, kube, sign_in):
    row = ExternalSecret.objects.get()
    edit(kube, "ExternalSecret", row.object_name, "shop", lambda m: m["spec"].update(refreshInterval="5m0s"))
    row.refresh_seconds = 7200
    row.save()
    clusters.changed(deployed.cluster)

    (change,) = look(deployed.cluster).changes
    page = sign_in(devops).get("/o/acme/clusters/prod/changes/").content.decode()

    assert change["deployed"] == {"spec.refreshInterval": every(row, 3600)}
    assert all(
        text in page
        for text in ("5m0s", every(row, 3600), every(row, 7200), "set by kubectl-edit", "Last deployed")
    )


def literal(kube: Any) -> None:
    def act(manifest: dict[str, Any]) -> None:
        containers = manifest["spec"]["template"]["spec"]["containers"]
        containers[0]["env"].append({"name": "DB_PASSWORD", "value": "canary-literal"})

    edit(kube, "Deployment", "api", "shop", act)


def test_what_a_deploy_refused_stays_said_after_the_next_look(access, devops, kube):  # noqa: F811
    row = link(access, devops)
    literal(kube)
    made = deploy(access.cluster, devops)
    row.refresh_from_db()
    before = (row.status, row.status_reason)

    seen = look(access.cluster)

    row.refresh_from_db()
    (change,) = [one for one in seen.changes if one["kind"] == "Deployment"]
    assert made.status == "failed"
    assert before == (row.status, row.status_reason)
    assert before[0] == "failed"
    assert "kubectl-edit already sets" in change["problem"], "the preview says what the deploy will say"
    assert "canary-literal" not in str(seen.changes)


def test_a_preview_names_a_workload_that_is_gone_and_a_secret_that_is_not_ours(access, devops, kube):  # noqa: F811
    row = link(access, devops)
    metadata = {"name": row.object_name, "namespace": "shop"}
    kube.load([{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"a": "YQ=="}}])
    resource = kube.store.by_kind("Deployment")
    kube.store.remove((resource.group, resource.plural, "shop", "api"))

    problems = {one["kind"]: one["problem"] for one in look(access.cluster).changes}

    assert "did not make, and the operator would overwrite it" in problems["ExternalSecret"]
    assert "is gone from shop" in problems["Deployment"]


def test_without_the_right_to_list_secrets_nothing_is_made_up(deployed, devops, kube):
    kube.faults.answer(r"/secrets\?", 403, "forbidden: list secrets", method="GET")

    seen = look(deployed.cluster)
    kube.requests.clear()
    again = deploy(deployed.cluster, devops)

    assert seen.changes == []
    assert again.status == "succeeded"
    assert writes(kube) == []


def test_a_store_that_changed_before_a_failure_is_read_again_by_the_next_deploy(
    deployed, devops, kube, monkeypatch
):
    from accesses.steps import Verify

    access = deployed.cluster.accesses.get()  # noqa: F811
    access.namespaces = [*access.namespaces, "billing"]
    access.save()
    row = ExternalSecret.objects.get()
    with monkeypatch.context() as broken:
        broken.setattr(Verify, "apply", lambda self, run: 1 / 0)
        assert deploy(deployed.cluster, devops).status == "failed"

    assert deploy(deployed.cluster, devops).status == "succeeded"

    assert "force-sync" in kube.get("ExternalSecret", row.object_name, "shop")["metadata"]["annotations"]


def test_an_operator_that_somebody_removed_is_drift(deployed, devops, kube, sign_in):
    resource = kube.store.by_kind("Deployment")
    for name in ("external-secrets", "external-secrets-webhook", "external-secrets-cert-controller"):
        kube.store.remove((resource.group, resource.plural, "external-secrets", name))

    (change,) = look(deployed.cluster).changes
    page = sign_in(devops).get("/o/acme/clusters/prod/").content.decode()

    assert (change["kind"], change["action"], change["causes"]) == ("Release", "create", ["cluster"])
    assert "Somebody changed 1 object in the cluster" in page


def test_a_look_that_breaks_says_so_and_quotes_nothing(deployed, monkeypatch, caplog):
    from accesses.steps import Stores

    def broken(self: Any, run: Any) -> Any:
        raise ValueError("-".join(("canary", "value")))

    monkeypatch.setattr(Stores, "plan", broken)

    seen = look(deployed.cluster)

    assert "ValueError" in seen.error
    assert seen.at is not None
    assert seen.held_until is None
    assert "canary-value" not in seen.error + caplog.text
