"""A whole deploy from secret managers that are no cloud: from a link to the value in the cluster's Secret."""

import base64
import json
from typing import Any

import pytest

from clusters import deploys, kubeconfig, runner
from clusters import services as cluster_services
from config.paths import BASE_DIR
from external_secrets import services
from tests import factories
from tests.accesses.worlds import conjur as conjur_world
from tests.accesses.worlds import http as http_world
from tests.accesses.worlds import kubernetes as kubernetes_world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sandbox]


@pytest.fixture
def kube(sandbox_cluster) -> Any:
    container = {"name": "web", "image": "shop/ring:1", "env": []}
    template = {"metadata": {"labels": {"app": "ring"}}, "spec": {"containers": [container]}}
    found = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "ring", "namespace": "ring"},
        "spec": {"selector": {"matchLabels": {"app": "ring"}}, "template": template},
    }  # fmt: skip
    sandbox_cluster.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ring"}}, found])
    return sandbox_cluster


@pytest.fixture
def cluster(organization, kube, settings) -> Any:
    settings.OPERATOR_CHART = str(BASE_DIR / "sandbox" / "chart" / "external-secrets")
    text = kubeconfig.reduce(kube.kubeconfig())
    return factories.make_cluster(organization=organization, name="prod", kubeconfig=text)


@pytest.fixture
def bring(cluster, devops, kube, monkeypatch) -> Any:
    """Return a function that links and deploys, and returns what the Secret then holds."""
    monkeypatch.setattr(deploys.tasks.run_deploys, "delay", lambda: None)
    cluster_services.refresh_services(cluster=cluster)
    place = services.Place.of(cluster.services.get(name="ring"), "web")

    def act(access: Any, **values: Any) -> dict[str, str]:
        link = services.link(access=access, place=place, by=devops, values=values)
        asked = deploys.request(cluster=cluster, by=devops)
        runner.run(str(asked.pk))
        asked.refresh_from_db()
        assert (asked.status, asked.error) == ("succeeded", "")
        data = kube.get("Secret", link.object_name, "ring")["data"]
        found = {key: base64.b64decode(text).decode() for key, text in data.items()}
        assert not any(asked.lines.filter(message__contains=text).exists() for text in found.values())
        return found

    return act


@pytest.mark.parametrize("method", ["api-key", "jwt"])
def test_from_conjur(vendors, kube, cluster, bring, method):
    conjur = vendors["conjur"]
    conjur.plant("reset")
    conjur.plant("issuers", issuer=kube.issuer, jwks=kube.jwks())
    access = factories.make_access(
        cluster=cluster, name="conjur", namespaces=["ring"], provider="conjur", method=method,
        configuration=conjur_world.configuration(conjur, method),
        credential=conjur_world.key(conjur, "reader") if method == "api-key" else None,
    )  # fmt: skip

    one = bring(access, key="prod/shop/database", variable="DB_USER", json_field="username")
    several = bring(access, takes="path", key="prod/shop/", target="file", path="/etc/shop")

    wanted = [name for name in conjur["names"] if name.startswith("prod/shop/")]
    assert one == {"DB_USER": "shop"}
    assert sorted(several) == [name.replace("/", "_") for name in wanted]


@pytest.mark.parametrize("method", ["password", "token"])
def test_from_secret_server(vendors, cluster, bring, method):
    server = vendors["delinea-secret-server"]
    name, password = server["reader"]
    account = {"user": name, "domain": ""} if method == "password" else {}
    access = factories.make_access(
        cluster=cluster, name="delinea", namespaces=["ring"], provider="delinea-secret-server", method=method,
        configuration={"address": server.url, "folder": "", "template": "", "ca": ""} | account,
        credential={"password": password} if method == "password" else {"token": server["tokens"]["reader"]},
    )  # fmt: skip
    known = server.plant("read", name="/prod/shop/database")

    by_path = bring(access, key="/prod/shop/database", variable="DB_PASSWORD", json_field="password")
    by_number = bring(access, key=str(known["id"]), variable="DB_USER", json_field="username")
    keys = bring(access, takes="keys", key="/prod/shop/database", target="file", path="/etc/keys")

    wanted = json.loads(known["value"])
    # What the operator looks for in the JSON of the first field goes before a field's own name.
    assert by_path == {"DB_PASSWORD": wanted["password"]}
    assert by_number == {"DB_USER": "shop"}
    assert sorted(keys) == sorted(wanted)


def test_from_devops_secrets_vault(vendors, cluster, bring):
    vault = vendors["delinea-devops-secrets-vault"]
    client, secret = vault["clients"]["reader"]
    access = factories.make_access(
        cluster=cluster, name="dsv", namespaces=["ring"], provider="delinea-devops-secrets-vault", method="client",
        configuration={"tenant": "acme", "tld": "com", "address": vault.url, "client_id": client},
        credential={"client_secret": secret},
    )  # fmt: skip
    known = vault.plant("read", name="prod/shop/database")["data"]

    one = bring(access, key="prod/shop/database", variable="DB_PASSWORD", json_field="password")
    keys = bring(access, takes="keys", key="prod/shop/database", target="file", path="/etc/keys")

    assert one == {"DB_PASSWORD": known["password"]}
    assert sorted(keys) == sorted(known)


@pytest.mark.parametrize("method", ["oauth", "api-key"])
def test_from_password_safe(vendors, cluster, bring, method):
    safe = vendors["beyondtrust"]
    user = safe["users"]["reader"]
    public, secret = ("client_id", "client_secret") if method == "oauth" else ("run_as", "api_key")
    access = factories.make_access(
        cluster=cluster, name="safe", namespaces=["ring"], provider="beyondtrust", method=method,
        configuration={"address": safe.url, "folder": "", "separator": "/", "version": "", public: user[public]},
        credential={secret: user[secret]},
    )  # fmt: skip
    before = safe.plant("sessions")["open"]

    password = bring(access, key="prod/shop/db-password", variable="DB_PASSWORD")
    text = bring(access, key="prod/shop/database", variable="DATABASE")

    assert password == {"DB_PASSWORD": safe.plant("read", name="prod/shop/db-password")["value"]}
    assert text == {"DATABASE": safe.plant("read", name="prod/shop/database")["value"]}
    assert safe.plant("sessions")["open"] == before


@pytest.fixture
def elsewhere() -> Any:
    """Another cluster, with Secrets in a namespace of their own."""
    from sandbox.kubernetes import Cluster

    with Cluster() as other:
        kubernetes_world.seed(other)
        yield other


@pytest.mark.parametrize("method", ["token", "service-account"])
def test_from_secrets_of_kubernetes(kube, elsewhere, cluster, bring, method):
    by_token = method == "token"
    there = elsewhere if by_token else kube
    if not by_token:
        kubernetes_world.seed(there)
    token = there.add_user("vault-reader", [kubernetes_world.READS]).token
    access = factories.make_access(
        cluster=cluster, name="vault", namespaces=["ring"], provider="kubernetes", method=method,
        configuration=kubernetes_world.configuration(there) if by_token else {"namespace": "vault"},
        credential={"token": token} if by_token else None,
    )  # fmt: skip
    if not by_token:
        kubernetes_world.bound(there, access, kubernetes_world.READS)

    one = bring(access, key="prod-shop-database", variable="DB", json_field="value")
    several = bring(
        access, takes="tags", tags={"stage": "prod", "team": "shop"}, target="file", path="/etc/shop"
    )

    assert one == {"DB": kubernetes_world.value_of(there, "prod-shop-database")}
    assert all(json.loads(text).keys() == {"value"} for text in several.values())
    assert len(several) > 3


WAYS = {
    "by query": {"url": "/find?name={key}&field={property}"},
    "by path": {"url": "/v1/{key}"},
    "alone": {"url": "/raw?name={key}", "path": ""},
    "by post": {
        "url": "/ask",
        "verb": "POST",
        "body": '{"name": "{key}", "o": {"p": {}}}',
        "path": "$.values[0]",
    },
    "another header": {"url": "/find?name={key}", "header": "X-Key", "scheme": "none"},
}


@pytest.mark.parametrize("way", WAYS)
def test_from_an_http_source(vendors, cluster, bring, way):
    source = vendors["http"]
    more = WAYS[way] | {"url": f"{source.url}{WAYS[way]['url']}"}
    access = factories.make_access(
        cluster=cluster, name="http", namespaces=["ring"], provider="http", method="header",
        configuration=http_world.configuration(source, **more), credential={"credential_value": source["token"]},
    )  # fmt: skip
    value = str(source.plant("value", name="prod/shop/database")["value"])

    whole = bring(access, key="prod/shop/database", variable="DB")

    assert whole == {"DB": value}
    if way == "by query":
        assert bring(access, key="prod/shop/database", variable="DB_USER", json_field="username") == {
            "DB_USER": "shop"
        }
        keys = bring(access, key="prod/shop/database", takes="keys", variable="SHOP_")
        assert len(keys) == len(json.loads(value))
