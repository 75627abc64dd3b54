"""BeyondTrust Password Safe, played by its stand-in."""

from typing import Any

from sandbox import world as demo
from sandbox.vendors.beyondtrust import COUNT
from tests.accesses.worlds import Sandbox, World
from tests.accesses.worlds.delinea_secret_server import nowhere

METHODS = ("oauth", "api-key")
SLUG = "beyondtrust"
PLACE = {"address": "", "folder": "", "separator": "/", "version": ""}
# What is a credential of each method, and what is its public half.
SECRET = {"oauth": "client_secret", "api-key": "api_key"}
PUBLIC = {"oauth": "client_id", "api-key": "run_as"}


def world(sandbox: Sandbox, method: str) -> World:
    safe = sandbox.vendor(SLUG)
    users, secret, public = safe["users"], SECRET[method], PUBLIC[method]

    def as_user(access: Any) -> None:
        """Let the access that has somebody's secret be that one."""
        found = [one[public] for one in users.values() if one[secret] == access.credential.get(secret)]
        if found:
            access.configuration = access.configuration | {public: found[0]}
            access.save()

    return World(
        method=method,
        configuration=PLACE | {"address": safe.url, public: users["reader"][public]},
        good={secret: users["reader"][secret]},
        wrong={secret: "w" * 44},
        limited={secret: users["limited"][secret]},
        permission="Secrets Safe (Read)",
        names=demo.names(COUNT),
        nowhere=nowhere,
        value=lambda name: safe.plant("read", name=name)["value"],
        slow=lambda: safe.plant("faults", status=429),
        over=lambda: safe.plant("faults", revoked=True),
        writer={secret: users["writer"][secret]},
        namespace="prod/shop/",
        prepare=as_user,
    )
