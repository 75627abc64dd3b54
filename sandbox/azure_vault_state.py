"""What the Azure stand-in's key vaults hold, who may do what in them, and what tests plant there."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from sandbox import world
from sandbox.azure_state import SUBSCRIPTION, TENANT, State

VAULT = world.KEY_VAULT
COUNT = 120
DAYS = 90
_ACTIONS = "Microsoft.KeyVault/vaults/secrets"
LIST, GET, SET, UPDATE, DELETE, RECOVER = (
    f"{_ACTIONS}/{word}"
    for word in ("readMetadata/action", "getSecret/action", "setSecret/action", "update/action", "delete",
                 "recover/action")
)  # fmt: skip
ROLES: dict[str, tuple[str, ...]] = {
    "Key Vault Reader": (LIST,),
    "Key Vault Secrets User": (LIST, GET),
    "Key Vault Secrets Officer": (LIST, GET, SET, UPDATE, DELETE, RECOVER),
}
# What access policies call the same.
POLICY = {LIST: "list", GET: "get", SET: "set", UPDATE: "set", DELETE: "delete", RECOVER: "recover"}


@dataclass(slots=True)
class Version:
    """One value of a secret."""

    id: str
    value: str = field(repr=False)
    tags: dict[str, str] = field(default_factory=dict)
    content_type: str = ""
    enabled: bool = True
    at: int = 0


@dataclass(slots=True)
class Kept:
    """A secret's versions, the current one last; `gone` is since when it is deleted, `settled` when Azure is done with it."""

    versions: list[Version]
    gone: int = 0
    settled: float = 0.0


@dataclass(slots=True)
class Vault:
    """A vault. Without `rbac` its `policies` count: object → permissions."""

    name: str
    tenant: str = TENANT
    rbac: bool = True
    policies: dict[str, list[str]] = field(default_factory=dict)
    # An inner code, as of a firewall, that every request is refused by.
    closed: str = ""
    there: dict[str, Kept] = field(default_factory=dict)
    deleted: dict[str, Kept] = field(default_factory=dict)

    @property
    def scope(self) -> str:
        group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/secrets-prod"
        return f"{group}/providers/Microsoft.KeyVault/vaults/{self.name}"

    def set(self, name: str, value: str, tags: dict[str, str] | None = None, kind: str = "") -> Version:
        """Give a secret a version; the first one makes it."""
        made = Version(secrets.token_hex(16), value, dict(tags or {}), kind, at=int(time.time()))
        self.there.setdefault(name, Kept([])).versions.append(made)
        return made


def seeded(name: str = VAULT, count: int = COUNT, **more: Any) -> Vault:
    """Return a vault with believable secrets."""
    made = Vault(name, **more)
    by_name = {one.replace("/", "-"): one for one in world.names(count)}
    for known, original in sorted(by_name.items()):
        tags = {tag["Key"]: tag["Value"] for tag in world.tags(original)}
        made.set(known, world.value(original), tags)
    return made


# -- what tests plant ------------------------------------------------------------------------------------------
def planted(state: State, what: str, body: dict[str, Any]) -> dict[str, Any]:
    """Do what a test asks for: make or change a vault, or one of its secrets, or read a value as its owner."""
    match what:
        case "vault":
            name, count = body.pop("name", VAULT), body.pop("count", COUNT)
            state.vaults[name] = seeded(name, count, **body)
        case "value":
            held = state.vaults[body.get("vault", VAULT)].there
            return {
                "value": held[body["name"]].versions[-1].value,
                "version": held[body["name"]].versions[-1].id,
            }
        case "put":
            made = state.vaults[body.get("vault", VAULT)].set(body["name"], body["value"], body.get("tags"))
            made.enabled = body.get("enabled", True)
            return {"version": made.id}
        case "expire":
            state.tokens.clear()
        case "unassign":
            kept = [one for one in state.assignments if one.object != body["object"]]
            state.assignments = kept
    return {}
