"""What others made in a cluster is shown as it is, and nothing of it is touched."""

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from external_secrets import manifests
from external_secrets.exchange import finding
from sandbox.kubernetes import Cluster as SandboxCluster
from tests import factories
from tests.external_secrets import foreigners as they

pytestmark = [pytest.mark.django_db, pytest.mark.sandbox]

WRITES = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def page(sign_in, viewer, url):
    def act(query: str = "", by=None, cluster: str = "prod"):
        return sign_in(by or viewer).get(url("found", cluster=cluster) + query)

    return act


def test_stores_external_secrets_and_their_users_are_shown(foreign_kube, foreign_cluster, page):
    failed = {
        "type": "Ready",
        "status": "False",
        "reason": "SecretSyncedError",
        "message": "could not get secret",
    }
    foreign_kube.load(
        [
            they.store(),
            they.store(
                "team", {"vault": {"server": "https://vault:8200", "auth": {"kubernetes": {}}}}, "shop"
            ),
            they.external(
                "database",
                they.entry("password", "prod/db", property="password", version="uuid/1"),
                target={"name": "db", "creationPolicy": "Owner", "deletionPolicy": "Delete"},
                status={"conditions": [failed], "refreshTime": "2026-11-01T10:00:00Z"},
                metadata={"annotations": {"meta.helm.sh/release-name": "shop"}},
            ),
            they.workload("api", {"env": [they.variable("DB_PASSWORD", "db", "password")]}),
        ]
    )
    foreign_kube.requests.clear()

    text = page().content.decode()

    for words in (
        "database", "prod/db#password (uuid/1)", "could not get secret", "Helm release shop", "Delete when gone",
        "every 30m", "Deployment api / web:", "DB_PASSWORD", "HashiCorp Vault", "https://vault:8200", "eu-west-3",
    ):  # fmt: skip
        assert words in text
    assert [one for one in foreign_kube.requests if one[0] in WRITES] == []


def test_what_we_made_is_not_among_them(foreign_kube, foreign_cluster):
    ours = {"labels": {manifests.MANAGED_BY: manifests.US, manifests.CLUSTER: str(foreign_cluster.pk)}}
    theirs = {"labels": {manifests.MANAGED_BY: manifests.US, manifests.CLUSTER: "another"}}
    foreign_kube.load(
        [
            they.external("ours", they.entry("a", "b"), metadata=ours),
            they.external("theirs", they.entry("a", "b"), metadata=theirs),
        ]
    )

    found = finding.look(foreign_cluster)

    assert [(one.name, one.manager) for one in found.externals] == [("theirs", "Another Keyhaven")]


def test_no_value_of_a_secret_is_asked_for_or_shown(foreign_kube, foreign_cluster, page):
    env = [{"name": "TOKEN", "value": "canary-value-71ac"}, they.variable("DB", "db", "password")]
    foreign_kube.load([they.external("database", they.entry("password", "prod/db"), target={"name": "db"})])
    foreign_kube.load([they.workload("api", {"env": env})])
    foreign_kube.requests.clear()

    text = page().content.decode()

    assert "canary-value-71ac" not in text
    assert not [path for _, path, _ in foreign_kube.requests if path.split("?")[0].endswith("/secrets")]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?q=prod/b", {"b"}),
        ("?q=PROD", {"a", "b"}),
        ("?namespace=jobs", {"c"}),
        ("?state=failed", {"c"}),
        ("?q=nothing-like-this", set()),
        ("?q=%00&page=x&namespace=" + "n" * 500, set()),
    ],
)
def test_the_url_filters(foreign_kube, foreign_cluster, page, query, names):
    failed = {"conditions": [{"type": "Ready", "status": "False"}]}
    foreign_kube.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "jobs"}}])
    foreign_kube.load(
        [
            they.external("a", they.entry("a", "prod/a")),
            they.external("b", they.entry("a", "prod/b")),
            they.external("c", they.entry("a", "stage/c"), namespace="jobs", status=failed),
        ]
    )

    response = page(query)

    assert response.status_code == 200
    assert {row["one"].name for row in response.context["rows"]} == names


def test_an_old_operator_is_read_and_said(organization, page):
    with SandboxCluster() as kube:
        kube.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}])
        kube.load(they.crds("v1beta1"))
        old = "external-secrets.io/v1beta1"
        kube.load([they.store(api=old), they.external("database", they.entry("a", "prod/db"), api=old)])
        factories.make_cluster(organization=organization, name="prod", kubeconfig=kube.kubeconfig())

        text = page().content.decode()

    assert "The operator serves only v1beta1" in text
    assert "database" in text


def test_a_cluster_without_the_operator_says_so(organization, page):
    with SandboxCluster() as kube:
        factories.make_cluster(organization=organization, name="prod", kubeconfig=kube.kubeconfig())

        text = page().content.decode()

    assert "The cluster has no ClusterSecretStore, no SecretStore, no ExternalSecret" in text


def test_a_cluster_that_does_not_answer_is_no_error_of_ours(foreign_kube, foreign_cluster, page):
    foreign_kube.faults.answer("/apis/", 503, "not now")

    response = page()

    assert response.status_code == 200
    assert "not now" in response.content.decode()
    assert "What the cluster has is not known" in response.content.decode()


def test_what_may_not_be_listed_is_named_and_the_rest_is_there(foreign_kube, organization, page):
    rule = {
        "apiGroups": ["*"],
        "resources": ["*"],
        "verbs": ["get", "list"],
        "not": ["deployments", "secretstores"],
    }
    foreign_kube.add_user("narrow", [rule])
    factories.make_cluster(
        organization=organization, name="prod", kubeconfig=foreign_kube.kubeconfig("narrow")
    )
    foreign_kube.load([they.external("database", they.entry("a", "prod/db"))])

    text = page().content.decode()

    assert "Not allowed to list SecretStores, Deployments" in text
    assert "database" in text


@pytest.mark.parametrize(
    "spec",
    [
        {"data": "nonsense", "dataFrom": {"a": 1}, "target": [1], "secretStoreRef": 7},
        {"data": [1, None, {"secretKey": ["x"], "remoteRef": "y"}], "refreshInterval": {"a": 1}},
        {
            "dataFrom": [{"find": {"tags": [1], "name": "x"}}, {"extract": None}, {"rewrite": 1}],
            "target": {"template": "x"},
        },
        None,
    ],
)
def test_objects_of_any_shape_do_not_break_the_page(foreign_kube, foreign_cluster, page, spec):
    foreign_kube.load([they.external("odd", they.entry("a", "b"))])
    key = ("external-secrets.io", "externalsecrets", "shop", "odd")
    live = foreign_kube.store.find(key)
    foreign_kube.store.put(
        key, live | {"spec": spec, "status": {"conditions": "x", "refreshTime": "2026-99-99T10:00:00Z"}}
    )

    response = page()

    assert response.status_code == 200
    assert "odd" in response.content.decode()


def test_a_thousand_are_paged_by_as_many_queries_as_one(foreign_kube, foreign_cluster, page):
    def load(numbers: range) -> None:
        foreign_kube.load([they.external(f"es-{n:04d}", they.entry("key", f"prod/{n}")) for n in numbers])
        foreign_kube.load(
            [
                they.workload(f"w-{n}", {"env": [they.variable("V", f"es-{n:04d}", "key")]})
                for n in numbers
                if n % 20 == 0
            ]
        )

    load(range(1))
    page()
    with CaptureQueriesContext(connection) as few:
        page()
    load(range(1, 1000))
    with CaptureQueriesContext(connection) as many:
        started = time.perf_counter()
        response = page("?page=20")
        took = time.perf_counter() - started

    assert len(many) == len(few)
    assert len(response.context["rows"]) == 50
    assert response.context["rows"][-1]["one"].name == "es-0999"
    assert took < 5
