"""1Password, played by a stand-in of a Connect server.

A service account is not tried: its items are encrypted from end to end, and the console says so. Its manifests and form are
tested in tests/accesses/providers/test_onepassword.py.
"""

from typing import Any

from sandbox.vendors import onepassword
from tests.accesses.worlds import Sandbox, World

METHODS = ("connect",)


def world(sandbox: Sandbox, method: str) -> World:
    vendor = sandbox.vendor("onepassword")
    place = {"address": vendor.url, "vault": vendor["vaults"]["production"]}

    def nowhere(monkeypatch: Any) -> None:
        from accesses.models import Access

        Access.objects.update(configuration=place | {"address": "http://127.0.0.1:9"})

    return World(
        method=method,
        configuration=place,
        good={"token": vendor["token"]},
        writer={"token": vendor["token_writer"]},
        wrong={"token": f"{vendor['token'].rpartition('.')[0]}.{'w' * 64}"},
        limited={"token": vendor["limited_token"]},
        permission="read_items",
        names=vendor["names"],
        nowhere=nowhere,
        value=lambda name: str(vendor.plant("value", name=name)["value"]),
        slow=lambda: vendor.plant("faults", status=429, body={"status": 429, "message": "Slow down"}),
        over=lambda: vendor.plant("faults", ahead=2 * onepassword.YEAR),
    )
