"""Delinea Secret Server, played by its stand-in."""

from typing import Any

from accesses.models import Access
from sandbox import world as demo
from sandbox.vendors.delinea_secret_server import COUNT
from tests.accesses.worlds import Sandbox, World

METHODS = ("password", "token")
SLUG = "delinea-secret-server"
PLACE = {"address": "", "folder": "", "template": "", "ca": ""}


def nowhere(monkeypatch: Any) -> None:
    """Let every access lead to where nobody listens."""
    for access in Access.objects.all():
        access.configuration["address"] = "http://127.0.0.1:9"
        access.save()


def _sign_in_as(access: Any, account: list[str]) -> None:
    """Let the access that has an account's password have its name."""
    if access.credential.get("password") == account[1]:
        access.configuration = access.configuration | {"user": account[0]}
        access.save()


def world(sandbox: Sandbox, method: str) -> World:
    server = sandbox.vendor(SLUG)
    tokens = server["tokens"]
    place = PLACE | {"address": server.url, "template": server["template"]}
    user = {"user": "svc-reader", "domain": ""} if method == "password" else {}
    good, limited = ({"password": server[name][1]} for name in ("reader", "limited"))
    return World(
        method=method,
        configuration=place | user,
        good=good if method == "password" else {"token": tokens["reader"]},
        wrong={"password": "w" * 24} if method == "password" else {"token": "w" * 40},
        limited=limited if method == "password" else {"token": tokens["limited"]},
        limited_configuration=place | {"user": "svc-limited", "domain": ""} if method == "password" else None,
        permission="View Secret",
        names=[f"/{name}" for name in demo.names(COUNT)],
        nowhere=nowhere,
        value=lambda name: server.plant("read", name=name)["value"],
        slow=lambda: server.plant("faults", status=429),
        over=lambda: server.plant("faults", ahead=2e6),
        writer={"password": server["writer"][1]} if method == "password" else {"token": tokens["writer"]},
        namespace="/prod/shop/",
        prepare=lambda access: _sign_in_as(access, server["writer"]),
    )
