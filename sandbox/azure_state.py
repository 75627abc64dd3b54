"""What the Azure stand-in knows: a tenant with its applications, subscriptions with AKS clusters, and who may do what."""

import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.kubernetes import flavours

TENANT, SUBSCRIPTION = flavours.AZURE_TENANT, flavours.AZURE_SUBSCRIPTION
OTHER_TENANT = "d2b94f7e-8c10-4a35-b1f6-3e7d5a0c9b28"
OTHER_SUBSCRIPTION = "b86d1e04-f7a2-49c3-8d5e-6a0f3c7b2e91"
READ_SUBSCRIPTION = "Microsoft.Resources/subscriptions/read"
_AKS = "Microsoft.ContainerService/managedClusters"
READ_CLUSTERS, CONNECT = f"{_AKS}/read", f"{_AKS}/listClusterUserCredential/action"
# Some of Azure's own roles, as far as they matter here; what is in none of them is refused.
ROLES: dict[str, tuple[str, ...]] = {
    "Reader": (READ_SUBSCRIPTION, READ_CLUSTERS),
    "Azure Kubernetes Service Cluster User Role": (READ_CLUSTERS, CONNECT),
    "Keyhaven console": (READ_SUBSCRIPTION, READ_CLUSTERS, CONNECT),
}
YEAR = 365 * 86_400


class Refused(Exception):
    """An answer in Azure Resource Manager's shape."""

    def __init__(
        self, status: int, code: str, message: str = "Refused by the sandbox.", **headers: str
    ) -> None:
        super().__init__(code)
        self.status, self.headers = status, headers
        self.body: dict[str, Any] = {"error": {"code": code, "message": message}}


class SignInRefused(Exception):
    """An answer of the token address, which has a shape of its own."""

    def __init__(self, error: str, code: int, message: str, status: int = 400) -> None:
        super().__init__(code)
        self.status, self.headers = status, dict[str, str]()
        self.body: dict[str, Any] = {
            "error": error, "error_description": f"AADSTS{code}: {message} Trace ID: {uuid.uuid4()}",
            "error_codes": [code], "error_uri": f"https://login.microsoftonline.com/error?code={code}",
        }  # fmt: skip


@dataclass(slots=True)
class App:
    """An app registration with its service principal. `secrets` are ends by value."""

    name: str
    tenant: str = TENANT
    client: str = field(default_factory=lambda: str(uuid.uuid4()))
    object: str = field(default_factory=lambda: str(uuid.uuid4()))
    secrets: dict[str, float] = field(default_factory=dict, repr=False)
    federated: list[dict[str, str]] = field(default_factory=list)
    disabled: bool = False

    def new_secret(self, seconds: float = YEAR) -> str:
        """Make a client secret and return it, as Entra does: once."""
        made = f"{secrets.token_urlsafe(3)}~{secrets.token_urlsafe(26)}"
        self.secrets[made] = time.time() + seconds
        return made


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role that a service principal has on a scope and below it."""

    object: str
    role: str
    scope: str

    def covers(self, asked: str, action: str, scope: str) -> bool:
        inside = f"{scope}/".lower().startswith(f"{self.scope}/".lower())
        return asked == self.object and inside and action in ROLES.get(self.role, ())


class State:
    """All of it; `faults` are set by tests."""

    def __init__(self) -> None:
        self.subscriptions = {
            SUBSCRIPTION: {"displayName": "Acme production", "tenantId": TENANT, "state": "Enabled"},
            OTHER_SUBSCRIPTION: {
                "displayName": "Acme elsewhere",
                "tenantId": OTHER_TENANT,
                "state": "Enabled",
            },
        }
        self.apps: dict[str, App] = {}
        self.assignments: list[Assignment] = []
        # By lower-case ID: the cluster as Azure describes it, and its kubeconfig.
        self.clusters: dict[str, tuple[dict[str, Any], str]] = {}
        self.issuers: dict[str, dict[str, Any]] = {}
        # access token → (app, whom it is for, end)
        self.tokens: dict[str, tuple[App, str, float]] = {}
        # By name: sandbox.azure_vault's.
        self.vaults: dict[str, Any] = {}
        self.faults: dict[str, Any] = {}
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def people(self) -> dict[str, dict[str, str]]:
        """Make the sandbox's applications, and return how one signs in as each."""
        scope = f"/subscriptions/{SUBSCRIPTION}"
        for name, *roles in (
            ("console", "Keyhaven console"), ("reader", "Reader"), ("limited",),
            ("vault-reader", "Key Vault Secrets User"), ("vault-writer", "Key Vault Secrets Officer"),
        ):  # fmt: skip
            app = self.add(App(name))
            self.assignments += [Assignment(app.object, role, scope) for role in roles]
        # Of another tenant, with a role in that one's subscription.
        other = self.add(App("other", OTHER_TENANT))
        self.assignments.append(Assignment(other.object, "Reader", f"/subscriptions/{OTHER_SUBSCRIPTION}"))
        return {
            app.name: {
                "tenant": app.tenant, "client": app.client, "object": app.object, "subscription": SUBSCRIPTION,
                "client_secret": app.new_secret(),
            }
            for app in self.apps.values()
        }  # fmt: skip

    def add(self, app: App) -> App:
        self.apps[app.client] = app
        return app

    def bearer(self, token: str, audience: str) -> App | None:
        """Return whose access token this is, where it is good and for this audience."""
        app, of, until = self.tokens.get(token, (None, "", 0.0))
        return app if of == audience and time.time() < until and app and not app.disabled else None

    def require(self, app: App, action: str, scope: str) -> None:
        """:raises Refused: the application may not"""
        if not any(one.covers(app.object, action, scope) for one in self.assignments):
            message = (
                f"The client '{app.client}' with object id '{app.object}' does not have authorization to perform "
                f"action '{action}' over scope '{scope}' or the scope is invalid."
            )
            raise Refused(403, "AuthorizationFailed", message)
