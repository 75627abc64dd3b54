"""Azure Key Vault, played by the Azure stand-in; for workload identity with a cluster whose issuer it trusts."""

from collections.abc import Callable
from typing import Any

from django.conf import settings

from accesses import trials
from accesses.providers import tokens
from clusters import kubeconfig
from sandbox import world as demo
from tests.accesses.worlds import Sandbox, World

METHODS = ("service-principal", "workload-identity")
COUNT = 120
LIST = "Microsoft.KeyVault/vaults/secrets/readMetadata/action"
ISSUER = "https://oidc.acme.example"


def names(count: int = COUNT) -> list[str]:
    return sorted(name.replace("/", "-") for name in demo.names(count))


def configuration(azure: Any, app: str, vault: str = "") -> dict[str, str]:
    found = azure.apps[app]
    return {
        "vault": vault or azure.vault,
        "environment": "AzureCloud",
        "tenant": found["tenant"],
        "client": found["client"],
    }


def _nowhere(monkeypatch: Any) -> None:
    monkeypatch.setattr(settings, "AZURE_ENDPOINT_URL", "http://127.0.0.1:9")


def world(sandbox: Sandbox, method: str) -> World:
    azure = sandbox.azure
    azure.plant("vaults/vault")
    make = _by_token if method == "workload-identity" else _by_secret
    return make(sandbox, azure)


def _world(azure: Any, method: str, app: str, **more: Any) -> World:
    return World(
        method=method,
        configuration=configuration(azure, app),
        permission=LIST,
        names=names(),
        nowhere=_nowhere,
        value=azure.value,
        slow=lambda: azure.plant("faults", status=429, code="Throttled"),
        over=lambda: azure.plant("vaults/expire"),
        **more,
    )


def _by_secret(sandbox: Sandbox, azure: Any) -> World:
    reader, writer = azure.apps["vault-reader"], azure.apps["vault-writer"]
    return _world(
        azure,
        "service-principal",
        "vault-reader",
        good={"client_secret": reader["client_secret"]},
        wrong={"client_secret": "w" * 40},
        limited={"client_secret": azure.apps["limited"]["client_secret"]},
        limited_configuration=configuration(azure, "limited"),
        writer={"client_secret": writer["client_secret"]},
        writer_configuration=configuration(azure, "vault-writer"),
    )


def _by_token(sandbox: Sandbox, azure: Any) -> World:
    kube = sandbox.fixture("make_sandbox_cluster")("plain", ISSUER)
    azure.trust(kube.issuer, kube.jwks())
    return _world(
        azure,
        "workload-identity",
        "vault-writer",
        good={},
        wrong={},
        wrong_configuration=configuration(azure, "console"),
        limited={},
        limited_configuration=configuration(azure, "limited"),
        writer={},
        prepare=_prepared(azure, kube),
    )


def _prepared(azure: Any, kube: Any) -> Callable[[Any], None]:
    def prepare(access: Any) -> None:
        cluster = access.cluster
        cluster.kubeconfig, cluster.issuer = kubeconfig.reduce(kube.kubeconfig()), kube.issuer
        cluster.save()
        for app in ("vault-writer", "limited"):
            azure.federate(app, kube.issuer, tokens.subject(access))
        trials.ensure_service_account(access)

    return prepare
