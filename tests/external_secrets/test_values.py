"""A secret's values go the whole way from the manager to the pod, and are nowhere that the console keeps or shows."""

import base64
import io
import json
import logging

import pytest
from django.conf import settings
from django.urls import reverse

from clusters import looks
from clusters.models import Cluster
from external_secrets import inventory, moving, services, syncing, tasks
from external_secrets.models import ExternalSecret
from tests import factories
from tests.external_secrets.test_ring import access, cloud, cluster, deploy, kube, service  # noqa: F401
from tests.test_canary import tables
from tests.tools import broker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sandbox]

CANARY = "canary-value-9d2e4c71"
FORMS = (CANARY, base64.b64encode(CANARY.encode()).decode()[:20])
PAGES = ("export", "found", "import", "namespace", "service", "linked", "browse", "secret", "usage", "state", "edit")


@pytest.fixture
def log():
    """Everything that anybody logs at DEBUG, but for the sandbox, which has the values."""
    stream = io.StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    level = root.level
    handler.addFilter(lambda record: "sandbox" not in record.pathname)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def linked(cloud, cluster, service, access, devops):  # noqa: F811
    """Links of every kind: a value, a field as a file, every key, what lies below a path, another name, elsewhere."""
    cloud.put("prod/app", json.dumps({"user": CANARY, "nested": {"token": CANARY}}))
    cloud.put("prod/below/one", CANARY)
    place = services.Place.of(service, "web")

    def link(**values):
        return services.link(access=access, place=place, by=devops, values={"key": "prod/app"} | values)

    original = link(variable="USER", json_field="user")
    link(variable="PATH_OF", target="both", path="/vault/token/x", json_field="nested.token", restart_on_change=True)
    link(variable="ALL_", takes="keys")
    link(target="file", path="/vault/all", takes="keys", mount="directory")
    link(variable="BELOW_", takes="path", key="prod/below/")
    services.link(access=access, place=place, by=devops, values={"variable": "AGAIN"}, alias_of=original)
    return original


def everything(log):
    return {"log": log.getvalue(), "broker": broker(settings.REDIS_URL)} | tables()


def test_no_value_is_left_anywhere(cloud, kube, cluster, access, linked, deploy, sign_in, owner, log):  # noqa: F811
    inventory.read_all(access)
    first = deploy()
    assert (first.status, first.error) == ("succeeded", "")
    held = [text for one in kube.list("Secret") for text in (one.get("data") or {}).values()]
    assert sum(base64.b64decode(text).decode(errors="replace").count(CANARY) for text in held) >= 5

    cloud.put("prod/app", json.dumps({"user": CANARY + "2", "nested": {"token": CANARY + "2"}, "more": CANARY}))
    looks.take(str(cluster.pk))
    syncing.sync_now(links=[ExternalSecret.objects.get(pk=linked.pk)], by=owner)
    tasks.read_again(link_ids=[str(linked.pk)])
    looks.take(str(cluster.pk))
    second = factories.make_access(
        cluster=cluster, name="other", namespaces=["shop"], credential=access.credential
    )
    moving.move(source=access, target=second, by=owner)
    deploy()
    looks.take(str(cluster.pk))

    client, kwargs = sign_in(owner), {"org": cluster.organization.slug}
    here, link = kwargs | {"cluster": cluster.name}, kwargs | {"link": linked.pk}
    where = {"namespace": here | {"namespace": "shop"}, "service": here | {"service": linked.service_id},
             "usage": here | {"access": second.name}, "edit": link, "state": link,
             **dict.fromkeys(("export", "found", "import"), here)}  # fmt: skip
    shown = {
        name: client.get(
            reverse(f"external_secrets:{name}", kwargs=where.get(name, kwargs)),
            {"access": access.pk, "name": "prod/app"},
        ).content.decode()
        for name in PAGES
    }

    found = {name for name, text in (everything(log) | shown).items() if any(one in text for one in FORMS)}
    assert found == set()
    assert {"USER", "AGAIN"} <= set(ExternalSecret.objects.values_list("variable", flat=True))
    assert Cluster.objects.get().status != "denied"


def test_the_search_would_find_a_value(linked, log):
    logging.getLogger("clusters").info("Read %s.", CANARY)
    ExternalSecret.objects.filter(pk=linked.pk).update(seen_keys=[CANARY])

    found = {name for name, text in everything(log).items() if CANARY in text}

    assert found == {"log", "external_secrets_externalsecret"}
