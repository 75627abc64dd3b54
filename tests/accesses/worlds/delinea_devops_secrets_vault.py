"""Delinea DevOps Secrets Vault, played by its stand-in."""

import json
from typing import Any

from sandbox import world as demo
from sandbox.vendors.delinea_dsv import COUNT
from tests.accesses.worlds import Sandbox, World
from tests.accesses.worlds.delinea_secret_server import nowhere

METHODS = ("client",)
SLUG = "delinea-devops-secrets-vault"


def world(sandbox: Sandbox, method: str) -> World:
    vault = sandbox.vendor(SLUG)
    clients = vault["clients"]
    place = {"tenant": vault["tenant"], "tld": "com", "address": vault.url, "client_id": clients["reader"][0]}

    def value(name: str) -> str:
        """Return a value as it was typed: an object, or what is under the one key."""
        data = vault.plant("read", name=name)["data"]
        return data["value"] if set(data) == {"value"} else json.dumps(data)

    def as_client(access: Any) -> None:
        """Let the access that has a client's secret have its ID."""
        found = [one[0] for one in clients.values() if one[1] == access.credential.get("client_secret")]
        if found:
            access.configuration = access.configuration | {"client_id": found[0]}
            access.save()

    return World(
        method=method,
        configuration=place,
        good={"client_secret": clients["reader"][1]},
        wrong={"client_secret": "w" * 32},
        limited={"client_secret": clients["limited"][1]},
        permission="list",
        names=demo.names(COUNT),
        nowhere=nowhere,
        value=value,
        slow=lambda: vault.plant("faults", status=429),
        over=lambda: vault.plant("faults", ahead=4000),
        writer={"client_secret": clients["writer"][1]},
        namespace="prod/shop/",
        prepare=as_client,
    )
