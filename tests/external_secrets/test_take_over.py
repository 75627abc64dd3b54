"""Links are made of what others wrote: use by use, after a preview, and nothing of theirs is touched."""

import html
import re

import pytest

from accounts.models import AuditEvent
from clusters import services as cluster_services
from external_secrets.exchange import finding, planning, taking
from external_secrets.exchange.rows import State
from external_secrets.models import ExternalSecret
from tests import factories
from tests.external_secrets import foreigners as they

pytestmark = [pytest.mark.django_db, pytest.mark.sandbox]

WRITES = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def cluster(foreign_cluster):
    return foreign_cluster


@pytest.fixture
def plan(foreign_kube, cluster, access):
    """Return a function that loads objects and returns the rows that all of the external secrets become."""

    def act(*objects, chosen=None):
        foreign_kube.load(list(objects))
        cluster_services.refresh_services(cluster)
        found = finding.look(cluster)
        return planning.plan(cluster, found.sources([one.id for one in found.externals]), chosen)

    return act


def one(found):
    (row,) = found.rows
    return row


def using(*env, name="api", **pod):
    return they.workload(name, {"env": list(env)} if env else {}, **pod)


def arrives(row):
    names = ("takes", "key", "json_field", "version", "target", "variable", "path", "mount", "file_mode")
    return {name: row.values[name] for name in names if row.values[name] not in ("", None)}


# -- what becomes what -------------------------------------------------------------------------------------
def test_an_entry_that_a_variable_uses_becomes_a_link(plan, access):
    target = {"name": "db", "deletionPolicy": "Merge"}
    entry = they.entry("password", "prod/db", property="password", version="AWSPREVIOUS")

    row = one(
        plan(
            they.store(),
            they.external("db", entry, target=target),
            using(they.variable("PW", "db", "password")),
        )
    )

    assert (row.state, row.match.access, str(row.place), row.place.container) == (
        State.NEW,
        access,
        "shop/api",
        "web",
    )
    assert arrives(row) == {
        "takes": "value", "key": "prod/db", "json_field": "password", "version": "AWSPREVIOUS",
        "target": "variable", "variable": "PW", "mount": "directory", "file_mode": 0o444,
    }  # fmt: skip
    assert (row.values["refresh_seconds"], row.values["when_gone"]) == (1800, "Merge")


def test_each_use_is_a_link_of_its_own(plan):
    external = they.external("db", they.entry("password", "prod/db"), target={"name": "db"})
    containers = ({"name": "web", "env": [they.variable("A", "db", "password")]},
                  {"name": "side", "image": "x", "env": [they.variable("A", "db", "password"), they.variable("B", "db", "password")]})  # fmt: skip

    found = plan(
        they.store(),
        external,
        they.workload("api", *containers),
        using(they.variable("C", "db", "password"), name="job", kind="CronJob"),
    )

    placed = sorted((str(row.place), row.place.container, row.values["variable"]) for row in found.rows)
    # Both containers have A: that is one link of every container.
    assert placed == [("shop/api", "", "A"), ("shop/api", "side", "B"), ("shop/job", "web", "C")]
    assert {row.state for row in found.rows} == {State.NEW}


def test_files_of_a_mounted_secret_become_files(plan):
    volumes = [
        {"name": "all", "secret": {"secretName": "tls", "defaultMode": 0o400}},
        {"name": "some", "projected": {"sources": [{"secret": {"name": "tls", "items": [{"key": "key", "path": "a/b.pem"}]}}]}},
    ]  # fmt: skip
    mounts = [
        {"name": "all", "mountPath": "/etc/tls"},
        {"name": "all", "mountPath": "/etc/one.crt", "subPath": "crt"},
        {"name": "some", "mountPath": "/opt/"},
    ]
    external = they.external("tls", they.entry("crt", "prod/crt"), they.entry("key", "prod/key"))

    found = plan(they.store(), external, they.workload("api", {"volumeMounts": mounts}, volumes=volumes))

    files = {
        (row.values["key"], row.values["path"], row.values["mount"], row.values["file_mode"])
        for row in found.rows
    }
    assert files == {
        ("prod/crt", "/etc/tls/crt", "directory", 0o400),
        ("prod/crt", "/etc/one.crt", "file", 0o400),
        ("prod/key", "/etc/tls/key", "directory", 0o400),
        ("prod/key", "/opt/a/b.pem", "directory", 0o644),
    }


def test_a_variable_that_holds_the_path_of_a_file_goes_with_it(plan):
    volumes = [{"name": "v", "secret": {"secretName": "ca"}}]
    container = {
        "volumeMounts": [{"name": "v", "mountPath": "/etc/ca"}],
        "env": [{"name": "CA", "value": "/etc/ca/pem"}],
    }

    row = one(
        plan(
            they.store(),
            they.external("ca", they.entry("pem", "prod/ca")),
            they.workload("api", container, volumes=volumes),
        )
    )

    assert (row.values["target"], row.values["variable"], row.values["path"]) == ("both", "CA", "/etc/ca/pem")


def test_keys_of_a_json_secret_are_taken_one_by_one_or_all(plan):
    whole = {"dataFrom": [{"extract": {"key": "prod/db"}}]}
    containers = ({"name": "web", "env": [they.variable("DB_USER", "db", "user")]},
                  {"name": "side", "image": "x", "envFrom": [{"secretRef": {"name": "db"}, "prefix": "DB_"}]})  # fmt: skip

    found = plan(they.store(), they.external("db", **whole), they.workload("api", *containers))

    made = {
        (row.place.container, row.values["takes"], row.values["json_field"], row.values["variable"])
        for row in found.rows
    }
    assert made == {("web", "value", "user", "DB_USER"), ("side", "keys", "", "DB_")}


def test_find_by_path_and_by_tags(plan):
    finds = [{"find": {"path": "prod/shop/", "name": {"regexp": ".*"}}}, {"find": {"tags": {"team": "shop"}}}]
    env = {"envFrom": [{"secretRef": {"name": "all"}}], "env": [they.variable("X", "all", "prod_shop_x")]}

    found = plan(they.store(), they.external("all", dataFrom=finds), they.workload("api", env))

    made = [(row.state, row.values["takes"], row.values["key"], row.values["tags"]) for row in found.rows]
    assert (State.NEW, "path", "prod/shop/", {}) in made
    assert (State.NEW, "tags", "", {"team": "shop"}) in made
    assert {row.reason for row in found.rows if row.state == State.UNSUPPORTED} == {
        "Which secret the key prod_shop_x is cannot be told from its name."
    }


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"target": {"template": {"data": {"a": "{{ .a }}"}}}}, "A template makes its values"),
        ({"target": {"manifest": {"kind": "ConfigMap"}}}, "It writes another kind"),
        ({"data": [{"secretKey": "k", "sourceRef": {"generatorRef": {"kind": "Password", "name": "x"}}}]}, "A generator"),
        ({"data": [they.entry("k", "a", decodingStrategy="Base64")]}, "It decodes the value"),
        ({"data": [they.entry("k", "a", property="a.#(b=1).c")]}, "is a query"),
        ({"dataFrom": [{"extract": {"key": "a"}, "rewrite": [{"regexp": {"source": "a", "target": "b"}}]}]}, "It rewrites"),
        ({"dataFrom": [{"find": {"name": {"regexp": "db-(a|b)"}}}]}, "that fit the pattern"),
        ({"secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"}, "data": [they.entry("k", "a")]}, "no provider for"),
        ({"secretStoreRef": {"name": "nowhere"}, "data": [they.entry("k", "a")]}, "is not there"),
        ({"data": [they.entry("other", "a")]}, "No use of its Secret is of this."),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_over_says_why(plan, spec, reason):
    vault = they.store("vault", {"vault": {"server": "https://v", "auth": {}}})

    found = plan(they.store(), vault, they.external("odd", **spec), using(they.variable("K", "odd", "k")))

    assert {row.can_take for row in found.rows} == {False}
    assert any(reason in row.reason for row in found.rows), [row.reason for row in found.rows]


def test_what_is_different_afterwards_is_noted(plan):
    target = {
        "name": "db",
        "creationPolicy": "Merge",
        "immutable": True,
        "template": {"type": "kubernetes.io/tls"},
    }
    external = they.external("db", they.entry("k", "a"), target=target, refreshInterval="10s")

    row = one(plan(they.store(), external, using(they.variable("K", "db", "k"))))

    assert row.values["refresh_seconds"] == 60
    assert [note.split(";")[0] for note in row.foreign.notes] == [
        "It is read every 10s", "Its Secret is of the type kubernetes.io/tls", "Its creation policy is Merge",
        "Its Secret is immutable",
    ]  # fmt: skip


def test_without_a_user_it_needs_a_place(plan):
    row = one(plan(they.store(), they.external("lonely", they.entry("k", "prod/x"))))

    assert (row.state, row.can_take) == (State.PLACELESS, False)


# -- which access -------------------------------------------------------------------------------------------
def test_the_access_of_the_same_region_stands_for_a_store(plan, cluster):
    aws = {"aws": {"service": "SecretsManager", "region": "us-east-1"}}
    there = factories.make_access(cluster=cluster, name="there", configuration={"region": "us-east-1"})

    row = one(
        plan(
            they.store("legacy", aws),
            they.external("a", they.entry("k", "x")),
            using(they.variable("K", "a", "k")),
        )
    )

    assert (row.match.access, row.match.is_exact) == (there, True)


def test_another_region_is_read_by_a_second_store_of_the_access(plan, access, devops, cluster):
    aws = {"aws": {"service": "SecretsManager", "region": "us-east-1"}}

    found = plan(
        they.store("legacy", aws),
        they.external("a", they.entry("k", "x")),
        using(they.variable("K", "a", "k")),
    )
    taking.take(cluster=cluster, rows=found.takeable, by=devops, action="external_secret.taken_over")

    link = ExternalSecret.objects.get()
    assert (link.access, link.variant.region) == (access, "us-east-1")


def test_without_an_access_it_is_said_which_to_add(plan):
    google = {"gcpsm": {"projectID": "acme"}}

    found = plan(
        they.store("legacy", google),
        they.external("a", they.entry("k", "x")),
        using(they.variable("K", "a", "k")),
    )

    assert one(found).reason == "legacy reads GCP Secret Manager, acme; no access of this cluster does."


def test_an_access_that_is_shut_to_the_namespace_is_refused(plan, access):
    access.namespaces = ["billing"]
    access.save()

    row = one(
        plan(they.store(), they.external("a", they.entry("k", "x")), using(they.variable("K", "a", "k")))
    )

    assert (row.state, row.reason) == (State.UNSUPPORTED, "aws is not open to the namespace shop.")


# -- the page ------------------------------------------------------------------------------------------------
def tokens(response):
    return re.findall(r'name="row" value="([0-9a-f]{20})"', response.content.decode())


def specs(kube):
    return {key: value.get("spec") for key, value in kube.store.objects.items() if key[2] == "shop"}


@pytest.fixture
def loaded(foreign_kube, cluster, access):
    external = they.external("db", they.entry("password", "prod/db"), target={"name": "db"})
    foreign_kube.load([they.store(), external, using(they.variable("DB_PASSWORD", "db", "password"))])
    cluster_services.refresh_services(cluster)
    return foreign_kube


def test_preview_then_links_and_nothing_in_the_cluster_is_touched(loaded, cluster, sign_in, devops, url):
    before = specs(loaded)
    loaded.requests.clear()
    client, address = sign_in(devops), url("take_over", cluster="prod")

    preview = client.get(address + "?es=shop/db")
    nothing_yet = ExternalSecret.objects.count()
    response = client.post(address, {"es": "shop/db", "then": "take", "row": tokens(preview)})

    assert (preview.status_code, nothing_yet, response.status_code) == (200, 0, 302)
    link = ExternalSecret.objects.get()
    assert (link.key, link.variable, str(link.service), link.container) == (
        "prod/db",
        "DB_PASSWORD",
        "shop/api",
        "web",
    )
    assert specs(loaded) == before
    assert [one for one in loaded.requests if one[0] in WRITES] == []
    actions = list(AuditEvent.objects.order_by("sequence").values_list("action", flat=True))
    assert actions == ["external_secret.linked", "external_secret.taken_over"]
    text = html.unescape(client.get(response["Location"]).content.decode())
    assert "It is linked like this already." in text
    assert "kubectl delete externalsecret --namespace shop db" in text


def test_what_changed_since_the_preview_is_not_taken(loaded, sign_in, devops, url):
    client, address = sign_in(devops), url("take_over", cluster="prod")
    found = tokens(client.get(address + "?es=shop/db"))
    key = ("external-secrets.io", "externalsecrets", "shop", "db")
    live = loaded.store.find(key)
    spec = live["spec"] | {"data": [they.entry("password", "prod/other")]}
    loaded.store.put(key, live | {"spec": spec})

    response = client.post(address, {"es": "shop/db", "then": "take", "row": found})

    assert response.status_code == 422
    assert "has changed since the page was shown" in response.content.decode()
    assert not ExternalSecret.objects.exists()


def test_all_or_nothing(loaded, cluster, devops):
    loaded.load(
        [they.external("two", they.entry("k", "x")), using(they.variable("K", "two", "k"), name="job")]
    )
    cluster_services.refresh_services(cluster)
    found = finding.look(cluster)
    rows = planning.plan(cluster, found.sources(["shop/db", "shop/two"])).takeable
    service = cluster.services.get(name="job")
    factories.make_link(service=service, access=cluster.accesses.get(), variable="K", key="quick")

    with pytest.raises(taking.NotTaken, match="shop/two"):
        taking.take(cluster=cluster, rows=rows, by=devops, action="external_secret.taken_over")

    assert list(ExternalSecret.objects.values_list("key", flat=True)) == ["quick"]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"es": "no/such", "then": "take", "row": "x"},
        {"es": "\x00", "then": "preview"},
        {"es": "shop/db", "then": "take"},
        {
            "es": "shop/db",
            "then": "take",
            "row": "x" * 5000,
            "access.ClusterSecretStore..legacy": "\x00nobody",
        },
        {"es": "shop/db", "then": "services"},
    ],
)
def test_odd_forms_take_nothing(loaded, sign_in, devops, url, data):
    response = sign_in(devops).post(url("take_over", cluster="prod"), data)

    assert response.status_code in (200, 422)
    assert not ExternalSecret.objects.exists()
