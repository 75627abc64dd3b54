"""Files arrive in the right container and leave again, and nothing else of a workload changes."""

import copy

import pytest

from clusters import addons, kubernetes
from clusters.kubernetes import workloads as discovered
from external_secrets import services
from external_secrets.models import ExternalSecret
from external_secrets.steps import Inject
from sandbox.kubernetes.operations import Options
from tests import factories
from tests.external_secrets.deploys.world import (
    VALUE,
    deployment,
    env_of,
    fields_of,
    mounts_of,
    pod_of,
    rich,
    writes,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sandbox]

FILE = {"target": "file", "variable": "", "path": "/vault/secrets/db.json"}


@pytest.fixture
def rich_service(kube, cluster):
    kube.load([rich()])
    return factories.make_service(cluster=cluster, name="rich")


def unlink(one, by):
    services.unlink(link=ExternalSecret.objects.get(pk=one.pk), by=by)


def sources(volume):
    return {one["secret"]["name"]: one["secret"].get("items") for one in volume["projected"]["sources"]}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "CronJob"])
def test_they_arrive_in_their_container_and_leave_again(kube, operator, cluster, link, bring, devops, kind):
    kube.load([rich(kind)])
    service = factories.make_service(cluster=cluster, name="rich", kind=kind)
    before = copy.deepcopy(kube.get(kind, "rich", "shop"))
    theirs, ours = fields_of(kube, kind, "rich")
    one = link("prod/db", service=service, container="web", file_mode=0o440, **FILE)
    two = link(
        "prod/token", "TOKEN_FILE", service=service, container="proxy", target="both", path="/run/app/token"
    )

    _, failure = bring()

    assert failure is None
    assert ours == []
    web, proxy = mounts_of(kube, "rich", "web", kind), mounts_of(kube, "rich", "proxy", kind)
    assert set(web) == {"/etc/nginx", "/var/cache/app", "/vault/secrets"}
    assert sources(web["/vault/secrets"]) == {
        one.object_name: [{"key": one.secret_key, "path": "db.json", "mode": 0o440}]
    }
    assert set(proxy) == {"/etc/envoy", "/run/app"}
    after = kube.get(kind, "rich", "shop") | {"kind": kind}
    entries = {entry["name"]: entry for entry in pod_of(after)["containers"][1]["env"]}
    assert entries == {"TOKEN_FILE": {"name": "TOKEN_FILE", "value": "/run/app/token"}}
    assert fields_of(kube, kind, "rich")[0] == theirs, "nobody else's fields are touched"
    assert without_ours(after) == pod_of(before | {"kind": kind})

    unlink(one, devops)
    unlink(two, devops)
    _, failure = bring()

    assert failure is None
    assert kube.get(kind, "rich", "shop")["spec"] == before["spec"]
    assert fields_of(kube, kind, "rich") == (theirs, [])
    assert kube.get("Secret", one.object_name, "shop") is None


def without_ours(manifest):
    """Return the pod's spec without what a deploy put there."""
    pod = copy.deepcopy(pod_of(manifest))
    pod["volumes"] = [one for one in pod["volumes"] if not one["name"].startswith("keyhaven-")]
    for container in pod["containers"]:
        for part, key in (("env", "name"), ("volumeMounts", "name")):
            kept = [
                one
                for one in container.get(part, [])
                if one[key] != "TOKEN_FILE" and not one[key].startswith("keyhaven-")
            ]
            if kept:
                container[part] = kept
            else:
                container.pop(part, None)
    return pod


def test_a_second_deploy_writes_nothing(kube, operator, link, bring, run):
    link("prod/db", **FILE)
    link(
        "prod/token", target="both", variable="TOKEN_FILE", path="/etc/app/token", mount="file", container=""
    )
    bring()
    generation = kube.get("Deployment", "api", "shop")["metadata"]["generation"]
    since = len(kube.requests)

    one, failure = bring()

    assert failure is None
    assert writes(kube, since) == []
    assert kube.get("Deployment", "api", "shop")["metadata"]["generation"] == generation
    assert ("info", "2 variables and 3 files in place, 0 services changed") in one.log
    assert [change.action for change in Inject().plan(run())] == ["unchanged"]


def test_the_plan_says_what_a_deploy_then_does(kube, operator, link, bring, run, devops):
    stays, goes = link("prod/db", **FILE), link("prod/token", **FILE | {"path": "/run/app/token"})
    bring()
    unlink(goes, devops)
    link("prod/token", **FILE | {"path": "/vault/secrets/token"})

    change = next(one for one in Inject().plan(run()) if one.kind == "Deployment")

    assert change.restarts
    pod = "spec.template.spec"
    mount = f"{pod}.containers[web].volumeMounts[/run/app]"
    changed = {field.path for field in change.fields if field.before and field.after}
    gone = {field.path for field in change.fields if not field.after}
    assert {one.rpartition(".")[2] for one in changed} == {"sources"}
    assert {f"{mount}.name", f"{mount}.readOnly"} <= gone
    assert stays.object_name in next(field.after for field in change.fields if field.path in changed)


def test_a_file_alone_stands_beside_what_the_workload_mounts(kube, operator, link, bring, rich_service):
    link("prod/db", service=rich_service, **FILE | {"path": "/var/cache/app/db", "mount": "file"})

    _, failure = bring()

    assert failure is None
    assert "/var/cache/app/db" in mounts_of(kube, "rich")


@pytest.mark.parametrize(
    ("path", "mount", "reason"),
    [
        ("/etc/nginx/db", "directory", "kubectl-create already mounts the config map nginx at /etc/nginx"),
        ("/var/cache/db", "directory", "/var/cache would be hidden"),
        ("/etc/nginx/certs/db", "directory", "config map nginx at /etc/nginx in the container web, and nothing can"),
        ("/etc/nginx/db", "file", "nothing can be mounted inside of it"),
        ("/srv/data/db", "directory", "mounts the emptyDir at /srv/data/deep in the container web, inside of /srv/data"),
        ("/etc/db", "directory", "The whole of /etc would be hidden"),
    ],
)  # fmt: skip
def test_a_path_that_is_taken_is_refused_and_the_others_go_on(
    kube, operator, link, bring, cluster, path, mount, reason
):
    manifest = rich()
    deep = {"name": "cache", "mountPath": "/srv/data/deep"}
    pod_of(manifest)["containers"][0]["volumeMounts"].append(deep)
    kube.load([manifest])
    service = factories.make_service(cluster=cluster, name="rich")
    taken = link("prod/db", service=service, **FILE | {"path": path, "mount": mount})
    link("prod/token", "TOKEN", service=service)

    _, failure = bring()

    assert reason in failure.cause
    assert failure.remedy
    assert "TOKEN" in env_of(kube, "rich")
    assert len(mounts_of(kube, "rich")) == 3
    taken.refresh_from_db()
    assert (taken.status, taken.refused) == ("failed", True)


def test_a_directory_inside_another_one_of_ours_is_refused(kube, operator, link, bring):
    link("prod/db", **FILE | {"path": "/vault/db"})
    link("prod/token", **FILE)

    _, failure = bring()

    assert "/vault and /vault/secrets lie inside each other" in failure.cause.replace(
        "/vault/secrets and /vault", "/vault and /vault/secrets"
    )
    assert set(mounts_of(kube)) == {"/vault"}


def test_a_variable_without_its_file_is_left_out(kube, operator, link, bring, rich_service):
    link("prod/db", "DB_FILE", service=rich_service, target="both", path="/etc/nginx/db")

    _, failure = bring()

    assert "already mounts" in failure.cause
    assert set(env_of(kube, "rich")) == {"LOG_LEVEL"}


def test_a_conflict_that_only_the_server_sees_names_who_and_which_mount(
    kube, operator, link, bring, rich_service, monkeypatch
):
    """Somebody mounts something there between our look and our write."""
    link("prod/db", service=rich_service, **FILE | {"path": "/etc/nginx/db"})
    link("prod/token", "TOKEN", service=rich_service)
    monkeypatch.setattr("external_secrets.steps.obstacles.clash", lambda *_: None)

    _, failure = bring()

    assert (
        'kubectl-create already sets spec.template.spec.containers[name="web"].volumeMounts[mountPath="/etc/nginx"]'
        in failure.cause
    )
    assert "TOKEN" in env_of(kube, "rich")


def test_a_name_that_never_was_is_left_out_of_the_volume(kube, operator, link, bring):
    one = link("prod/db", **FILE)
    link("prod/nope", **FILE | {"path": "/vault/secrets/nope"})

    run, failure = bring()

    assert failure is not None
    assert sources(mounts_of(kube)["/vault/secrets"]).keys() == {one.object_name}
    assert "is left out, its Secret is not there" in run.log.of("warning")


def test_a_running_workload_keeps_its_file_when_the_secret_is_gone(kube, operator, link, bring):
    one = link("prod/db", **FILE)
    bring()
    operator.upstream["prod/db"] = PermissionError("AccessDeniedException: no")
    operator.again()
    kube.store.remove(("", "secrets", "shop", one.object_name))

    _, failure = bring()

    assert failure is not None
    assert sources(mounts_of(kube)["/vault/secrets"]).keys() == {one.object_name}


def test_a_foreign_secret_is_not_taken_over(kube, operator, link, bring):
    one = link("prod/db", **FILE)
    theirs = {"name": one.object_name, "namespace": "shop"}
    kube.load([{"apiVersion": "v1", "kind": "Secret", "metadata": theirs, "data": {"x": "eQ=="}}])

    _, failure = bring()

    assert "that Keyhaven did not make" in failure.cause
    assert kube.get("Secret", one.object_name, "shop")["data"] == {"x": "eQ=="}


def test_a_secret_that_a_volume_of_somebody_else_needs_stays(kube, operator, link, bring, devops):
    one = link("prod/db", **FILE)
    bring()
    guest = deployment("guest")
    pod_of(guest)["volumes"] = [{"name": "mine", "secret": {"secretName": one.object_name}}]
    kube.load([guest])
    unlink(one, devops)

    run, failure = bring()

    assert failure is None
    assert kube.get("Secret", one.object_name, "shop") is not None
    assert "guest in shop still uses it" in run.log.of("warning")


def test_two_consoles_do_not_fight_over_one_workloads_files(kube, operator, link, bring, organization):
    link("prod/db", **FILE)
    bring()
    second = factories.make_cluster(organization=organization, kubeconfig=kube.kubeconfig())
    service = factories.make_service(cluster=second, name="api")
    factories.make_link(service=service, key="prod/token", variable="TOKEN")
    from external_secrets.steps import ApplyExternalSecrets
    from tests.runs import make_run

    theirs = make_run(second)
    ApplyExternalSecrets().apply(theirs)

    with pytest.raises(addons.StepFailed, match="Another Keyhaven cluster"):
        Inject().apply(theirs)

    assert set(mounts_of(kube)) == {"/vault/secrets"}


def test_what_is_discovered_tells_ours_from_theirs(kube, operator, link, bring, rich_service, cluster):
    link("prod/db", "DB_FILE", service=rich_service, target="both", path="/vault/secrets/db")
    bring()

    found = next(one for one in kubernetes.connect(cluster).workloads() if one.name == "rich")

    web = found.containers[0]
    assert web["mounts"] == [
        {"path": "/etc/nginx", "source": "config map nginx"},
        {"path": "/var/cache/app", "source": "emptyDir"},
        {"path": "/vault/secrets", "source": "projected", "ours": True},
    ]
    assert web["env"] == [
        {"name": "LOG_LEVEL", "source": "value"},
        {"name": "DB_FILE", "source": "value", "ours": True},
    ]
    assert web["env_from"] == ["config map settings", "secret legacy as OLD_*"]
    assert VALUE not in repr(found)
    assert discovered.volume_source({}) == "unknown"


def edit(kube, change):
    """Let somebody edit the Deployment `api`."""
    live = copy.deepcopy(kube.get("Deployment", "api", "shop"))
    change(live["spec"]["template"]["spec"])
    resource = kube.store.by_kind("Deployment")
    kube.api.operations.replace(resource, "shop", "api", live, Options(manager="kubectl-edit"))


def test_a_volume_of_ours_that_somebody_edited_stays_until_it_is_decided(kube, operator, link, bring, run):
    link("prod/db", **FILE)
    link("prod/token", "TOKEN")
    bring()

    def cut(pod):
        pod["volumes"][0]["projected"]["sources"] = []

    edit(kube, cut)
    plan = next(one for one in Inject().plan(run(ask=True)) if one.kind == "Deployment")

    _, failure = bring()

    assert "kubectl-edit" in failure.cause
    assert "TOKEN" in env_of(kube)
    assert set(mounts_of(kube)) == {"/vault/secrets"}
    one = run(overwrite=frozenset({plan.decision}))
    Inject().apply(one)
    assert mounts_of(kube)["/vault/secrets"]["projected"]["sources"]


def test_what_a_stateful_set_claims_is_named(kube, operator, link, bring, cluster):
    manifest = deployment("db", kind="StatefulSet")
    manifest["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": {}}]
    pod_of(manifest)["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/srv/data"}]
    kube.load([manifest])
    service = factories.make_service(cluster=cluster, name="db", kind="StatefulSet")
    link("prod/db", service=service, **FILE | {"path": "/srv/data/db"})
    link("prod/token", service=service, **FILE | {"path": "/srv/data/tokens/token"})

    _, failure = bring()

    assert "kubectl-create already mounts the persistentVolumeClaim at /srv/data" in failure.cause
    found = kube.get("StatefulSet", "db", "shop") | {"kind": "StatefulSet"}
    paths = [one["mountPath"] for one in pod_of(found)["containers"][0]["volumeMounts"]]
    assert paths == ["/srv/data", "/srv/data/tokens"]
