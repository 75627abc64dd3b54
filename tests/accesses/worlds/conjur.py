"""Conjur, played by its stand-in."""

from typing import Any

from accesses.models import Access
from tests.accesses.worlds import Sandbox, World

METHODS = ("api-key", "jwt")


def configuration(conjur: Any, method: str, **fields: str) -> dict[str, str]:
    """Return what a form of that method gives, in no order."""
    found = {"address": conjur.url, "account": conjur["account"], "ca": "", "branch": ""}
    if method == "jwt":
        found |= {"service": conjur["service"], "host": conjur["host"], "audience": conjur["audience"]}
    else:
        found |= {"login": conjur["reader"]}
    return found | fields


def key(conjur: Any, who: str) -> dict[str, str]:
    return {"api_key": conjur["keys"][conjur[who]]}


def nowhere(monkeypatch: Any) -> None:
    for access in Access.objects.all():
        access.configuration["address"] = "http://127.0.0.1:9"
        access.save()


def trusts(conjur: Any, kube: Any) -> Any:
    """Let Conjur trust a cluster's tokens; return what gives an access that cluster, with its ServiceAccount."""
    from accesses import trials
    from clusters import kubeconfig

    conjur.plant("issuers", issuer=kube.issuer, jwks=kube.jwks())

    def prepare(access: Any) -> None:
        access.cluster.kubeconfig = kubeconfig.reduce(kube.kubeconfig())
        access.cluster.save()
        trials.ensure_service_account(access)

    return prepare


def world(sandbox: Sandbox, method: str) -> World:
    conjur = sandbox.vendor("conjur")
    by_key = method == "api-key"
    conjur.plant("reset")
    # Whose key it is stands in the configuration: here it is one who also owns the policy branch.
    also = {"login": conjur["writer"]} if by_key else {}
    found = configuration(conjur, method, branch=conjur["branch"], **also)
    good = key(conjur, "writer") if by_key else {}
    return World(
        method=method,
        configuration=found,
        good=good,
        wrong={"api_key": "w" * 54} if by_key else {},
        limited=None,
        permission="",
        names=conjur["names"],
        nowhere=nowhere,
        value=lambda name: str(conjur.plant("value", name=name)["value"]),
        slow=lambda: conjur.plant("faults", status=429),
        over=lambda: conjur.plant("faults", ahead=600),
        wrong_configuration=None if by_key else found | {"service": "another"},
        writer=good,
        namespace=f"{conjur['branch']}/",
        prepare=(lambda access: None) if by_key else trusts(conjur, sandbox.fixture("sandbox_cluster")),
    )
