"""Every shape of a link: it arrives, a second deploy does nothing, the plan was right, and unlinked nothing is left."""

import copy
import json

import pytest

from clusters.models import Deploy
from external_secrets import services
from external_secrets.models import ExternalSecret
from external_secrets.steps import ApplyExternalSecrets, Inject
from tests import factories
from tests.external_secrets.deploys.world import VALUE, fields_of, rich, writes

pytestmark = [pytest.mark.django_db, pytest.mark.sandbox]

FILE = {"target": "file", "variable": ""}
SEVERAL = {"takes": "keys", "key": "prod/app"}
SHAPES = {
    "variable": [{"variable": "DB"}],
    "directory": [FILE | {"path": "/vault/secrets/db"}],
    "file alone": [FILE | {"path": "/var/cache/app/db", "mount": "file", "file_mode": 0o400}],
    "both": [{"variable": "DB_FILE", "target": "both", "path": "/vault/secrets/db"}],
    "both, file alone": [{"variable": "DB_FILE", "target": "both", "path": "/opt/app/db", "mount": "file"}],
    "keys": [SEVERAL | {"variable": "APP_"}],
    "keys, no prefix": [SEVERAL | {"variable": ""}],
    "keys, files": [SEVERAL | FILE | {"path": "/vault/app", "file_mode": 0o440}],
    "keys, both": [SEVERAL | {"variable": "APP_DIR", "target": "both", "path": "/vault/app"}],
    "path": [{"takes": "path", "key": "prod/", "variable": "ALL_"}],
    "path, files": [FILE | {"takes": "path", "key": "prod/", "path": "/vault/all"}],
    "tags": [{"takes": "tags", "key": "", "tags": {"team": "shop"}, "variable": "T_"}],
    "tags, files": [FILE | {"takes": "tags", "key": "", "tags": {"team": "shop"}, "path": "/vault/t"}],
    "namespace": [{"service": None, "namespace": "shop", "container": "", "variable": "DB"}],
    "namespace, file": [FILE | {"service": None, "namespace": "shop", "container": "", "path": "/vault/n/db"}],
    "every container": [{"container": "", "variable": "DB"}, FILE | {"container": "", "path": "/vault/s/db"}],
    "two files": [FILE | {"path": "/vault/s/a"}, FILE | {"path": "/vault/s/b", "mount": "file"}],
    "files of two containers": [FILE | {"path": "/v/s/a"}, FILE | {"path": "/v/s/b", "container": "proxy"}],
    "a file beside several": [SEVERAL | FILE | {"path": "/vault/app"}, FILE | {"path": "/vault/app/own"}],
    "restart": [{"variable": "DB", "restart_on_change": True}, FILE | {"path": "/vault/s/a"}],
    "merge": [SEVERAL | {"variable": "APP_", "when_gone": "Merge"}, FILE | {"path": "/v/m/a", "when_gone": "Merge"}],
    "alias": [{"variable": "DB"}, {"variable": "DATABASE", "alias_of": 0}],
    "alias, file": [{"variable": "DB"}, FILE | {"path": "/v/m/a", "alias_of": 0}],
    "delete": [{"variable": "DB", "when_gone": "Delete"}],
}  # fmt: skip


@pytest.fixture
def kind():
    return "Deployment"


@pytest.fixture
def service(kube, cluster, operator, kind):
    operator.upstream["prod/app"] = json.dumps({"user": VALUE, "max-size": VALUE})
    kube.load([rich(kind)])
    return factories.make_service(cluster=cluster, name="rich", kind=kind)


def make(link, shape):
    made = []
    for number, fields in enumerate(SHAPES[shape]):
        fields = {"key": ("prod/db", "prod/token")[number], "variable": "X"} | fields
        if "alias_of" in fields:
            fields |= {"alias_of": made[0], "key": made[0].key}
        made.append(link(**fields))


def changes():
    rows = Deploy.objects.order_by("-number").first().changes.all()
    return {(one.kind, one.name): one.facts for one in rows if one.done_at}


def planned(run):
    one = run()
    return {
        (change.kind, change.name): change
        for step in (ApplyExternalSecrets(), Inject())
        for change in step.plan(one)
        if change.action != "unchanged"
    }


def shown(facts):
    return [(f["path"], f["before"], f["after"]) for f in facts["fields"]]


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        *(("Deployment", shape) for shape in SHAPES),
        *((kind, shape) for kind in ("StatefulSet", "CronJob") for shape in ("both", "keys", "restart")),
    ],
)
def test_there_and_back(kube, operator, service, link, bring, run, devops, kind, shape):
    before = {
        name: copy.deepcopy(kube.get(*name, "shop")["spec"])
        for name in ((kind, "rich"), ("Deployment", "api"))
    }
    theirs = {name: fields_of(kube, *name) for name in before}
    make(link, shape)

    _, failure = bring()

    assert failure is None
    assert kube.get(kind, "rich", "shop")["spec"] != before[kind, "rich"]
    assert planned(run) == {}
    since = len(kube.requests)
    _, failure = bring()
    assert failure is None
    assert writes(kube, since) == []

    for one in ExternalSecret.objects.all():
        services.unlink(link=ExternalSecret.objects.get(pk=one.pk), by=devops)
    told = planned(run)
    _, failure = bring()

    assert failure is None
    assert {key: change.action for key, change in told.items()} == {
        key: facts["action"] for key, facts in changes().items()
    }
    for key, change in told.items():
        assert shown(change.facts()) == shown(changes()[key])
    for name, spec in before.items():
        assert kube.get(*name, "shop")["spec"] == spec
        assert fields_of(kube, *name) == theirs[name]
    assert kube.list("ExternalSecret") == []
    names = [one["metadata"]["name"] for one in kube.list("Secret", "shop")]
    # The garbage collector takes what the operator owned.
    assert names == []


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_plan_of_a_change_is_what_it_then_does(kube, operator, service, link, bring, run, shape):
    """Everything is in sync already and one workload lost it all."""
    make(link, shape)
    bring()
    kube.store.remove(("apps", "deployments", "shop", "rich"))
    kube.load([rich()])
    told = planned(run)

    _, failure = bring()

    assert failure is None
    assert {key: shown(one.facts()) for key, one in told.items()} == {
        key: shown(facts) for key, facts in changes().items()
    }
    assert len(told) == 1
