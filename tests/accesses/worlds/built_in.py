"""The built-in store of the access's organization."""

from typing import Any

from django.db import connection

from accesses.providers.gateway import tokens as gateway_tokens
from built_in import services
from sandbox import world as demo
from tests.accesses.worlds import Sandbox, World

METHODS = ("gateway",)
COUNT = 230
TOKEN = gateway_tokens.new()


class Store:
    """Fills an organization's store, and reads it as its owner."""

    organization: Any = None
    names = demo.names(COUNT)

    def prepare(self, access: Any) -> None:
        self.organization = access.cluster.organization
        self.organization.built_in_store = True
        self.organization.save(update_fields=["built_in_store"])
        for name in self.names:
            services.create(
                organization=self.organization, name=name, value=f"value of {name}", tags={"stage": name[:4]}
            )

    def value(self, name: str) -> str:
        return services.read(organization=self.organization, name=name).value


def nowhere(monkeypatch: Any) -> None:
    """Take its table away; the test's transaction brings it back."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE built_in_storedsecret RENAME TO elsewhere")


def world(sandbox: Sandbox, method: str) -> World:
    store = Store()
    return World(
        method=method,
        configuration={"gateway_address": "", "gateway_ca": ""},
        good={"token": TOKEN},
        wrong={"token": TOKEN[:-1] + ("0" if TOKEN[-1] != "0" else "1")},
        limited=None,
        permission="",
        names=store.names,
        nowhere=nowhere,
        value=store.value,
        writer={"token": TOKEN},
        prepare=store.prepare,
    )
