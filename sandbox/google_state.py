"""What the Google stand-in knows: projects, service accounts, policies, secrets; and who may do what."""

import base64
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import world

LOCATIONS = ("europe-west1", "europe-west3", "europe-west9", "me-central2", "us-central1", "us-east1")
_LISTING = ("secretmanager.secrets.list", "secretmanager.secrets.get", "secretmanager.versions.list",
            "secretmanager.locations.list", "resourcemanager.projects.get")  # fmt: skip
ROLES: dict[str, tuple[str, ...]] = {
    "roles/secretmanager.secretAccessor": ("secretmanager.versions.access", "resourcemanager.projects.get"),
    "roles/secretmanager.viewer": _LISTING,
    # What docs/writing.md has people make.
    f"projects/{world.GOOGLE_PROJECT}/roles/keyhavenSecretWriter": (
        "secretmanager.secrets.create", "secretmanager.versions.add", "secretmanager.secrets.update",
        "secretmanager.secrets.delete", "secretmanager.secrets.get",
    ),
    "roles/iam.workloadIdentityUser": ("iam.serviceAccounts.getAccessToken",),
    "roles/iam.serviceAccountTokenCreator": ("iam.serviceAccounts.getAccessToken",),
    "roles/iam.serviceAccountKeyAdmin": (
        "iam.serviceAccountKeys.create", "iam.serviceAccountKeys.delete", "iam.serviceAccountKeys.disable",
        "iam.serviceAccountKeys.enable", "iam.serviceAccountKeys.get", "iam.serviceAccountKeys.list",
    ),
    "roles/policyanalyzer.activityAnalysisViewer": (
        "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query",
    ),
    "roles/container.clusterViewer": (
        "container.clusters.get", "container.clusters.list", "resourcemanager.projects.get",
    ),
    "roles/iam.serviceAccountAdmin": (
        "iam.serviceAccounts.create", "iam.serviceAccounts.get", "iam.serviceAccounts.delete",
        "iam.serviceAccounts.getIamPolicy", "iam.serviceAccounts.setIamPolicy",
    ),
    "roles/resourcemanager.projectIamAdmin": (
        "resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy",
        "resourcemanager.projects.setIamPolicy",
    ),
    "roles/owner": ("*",),
}  # fmt: skip


class Refused(Exception):
    """An answer in Google's shape."""

    def __init__(self, code: int, status: str, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.code = code
        body: dict[str, Any] = {"code": code, "message": message, "status": status}
        if detail:
            kind = "type.googleapis.com/google.rpc.ErrorInfo"
            body["details"] = [{"@type": kind, "domain": "googleapis.com", **detail}]
        self.body: dict[str, Any] = {"error": body}


class OAuthRefused(Exception):
    """An answer of the token addresses, which have a shape of their own."""

    def __init__(self, error: str, description: str, code: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.body = {"error": error, "error_description": description}


def denied(permission: str, on: str) -> Refused:
    message = f"Permission '{permission}' denied on resource '{on}' (or it may not exist)."
    return Refused(403, "PERMISSION_DENIED", message, reason="IAM_PERMISSION_DENIED")


def not_found(what: str) -> Refused:
    return Refused(404, "NOT_FOUND", f"{what} not found.")


@dataclass(slots=True)
class Policy:
    """An IAM policy whose etag is checked: what was read and changed meanwhile is not written over."""

    bindings: list[dict[str, Any]] = field(default_factory=list)
    number: int = 1

    def as_json(self) -> dict[str, Any]:
        etag = base64.b64encode(f"etag-{self.number}".encode()).decode()
        return {"version": 1, "etag": etag, "bindings": self.bindings}

    def replace(self, wanted: dict[str, Any]) -> dict[str, Any]:
        if wanted.get("etag") not in (None, "", self.as_json()["etag"]):
            raise Refused(409, "ABORTED", "There were concurrent policy changes.")
        for binding in wanted.get("bindings") or []:
            if binding.get("role") not in ROLES and not str(binding.get("role")).startswith("projects/"):
                raise Refused(400, "INVALID_ARGUMENT", f"Role {binding.get('role')} is not supported.")
        self.bindings, self.number = list(wanted.get("bindings") or []), self.number + 1
        return self.as_json()

    def grants(self, members: frozenset[str], permission: str, resource: str = "") -> bool:
        return any(_covers(one, members, permission, resource) for one in self.bindings)


def _covers(binding: dict[str, Any], members: frozenset[str], permission: str, resource: str) -> bool:
    allowed = ROLES.get(binding["role"], ())
    if not members & set(binding.get("members") or ()) or not {permission, "*"} & set(allowed):
        return False
    expression = (binding.get("condition") or {}).get("expression", "")
    beginnings = re.findall(r"resource\.name\.startsWith\([\"'](.+?)[\"']\)", expression)
    return not expression or any(resource.startswith(one) for one in beginnings)


@dataclass(slots=True)
class Key:
    """The public half of a service account's key, and what became of it."""

    public: rsa.RSAPublicKey
    made_at: float = field(default_factory=time.time)
    used_at: float = 0
    disabled: bool = False


@dataclass(slots=True)
class Account:
    """A service account with its keys by ID."""

    email: str
    project: str
    number: str
    display_name: str = ""
    description: str = ""
    disabled: bool = False
    keys: dict[str, Key] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    # The key that the sandbox handed out: it stays when those that tests made are cleared away.
    first_key: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "name": f"projects/{self.project}/serviceAccounts/{self.email}", "projectId": self.project,
            "uniqueId": self.number, "email": self.email, "displayName": self.display_name,
            "description": self.description, "oauth2ClientId": self.number, "disabled": self.disabled,
        }  # fmt: skip

    def new_key(self) -> str:
        """Make a key and return its key.json, as Google does: once."""
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        key_id = secrets.token_hex(20)
        self.keys[key_id] = Key(made.public_key())
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        found = {
            "type": "service_account", "project_id": self.project, "private_key_id": key_id,
            "private_key": pem.decode(), "client_email": self.email, "client_id": self.number,
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": "https://oauth2.googleapis.com/token",
            "universe_domain": "googleapis.com",
        }  # fmt: skip
        return json.dumps(found, indent=2)


@dataclass(slots=True)
class Project:
    """A project; `secrets` are by (location or "", ID), newest first, each a dict with `versions`."""

    id: str
    number: str
    policy: Policy = field(default_factory=Policy)
    secrets: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    pools: dict[str, dict[str, Any]] = field(default_factory=dict)

    def put(self, name: str, value: str, location: str = "", at: float | None = None) -> None:
        found = self.secrets.get((location, name))
        if found is None:
            found = {"create": at or time.time(), "labels": labels(name), "versions": []}
            # Google lists the newest first.
            self.secrets = {(location, name): found} | self.secrets
        found["versions"].append(value)

    def of(self, location: str) -> list[tuple[str, dict[str, Any]]]:
        return [(name, one) for (where, name), one in self.secrets.items() if where == location]


def labels(name: str) -> dict[str, str]:
    """Return a secret's labels: its stage and its team, where the name says them."""
    stage, _, rest = name.partition("-")
    team = rest.partition("-")[0]
    return {"stage": stage, "team": team} if stage in ("prod", "staging", "dev") else {}


class State:
    """All of it; `faults` are set by tests."""

    def __init__(self, count: int) -> None:
        self.projects = {
            one.id: one
            for one in (
                Project(world.GOOGLE_PROJECT, world.GOOGLE_NUMBER),
                Project(world.GOOGLE_OTHER, world.GOOGLE_OTHER_NUMBER),
                Project(world.GOOGLE_CLUSTERS, world.GOOGLE_CLUSTERS_NUMBER),
            )
        }
        self.accounts: dict[str, Account] = {}
        self.issuers: dict[str, dict[str, Any]] = {}
        # access token → (members, end)
        self.tokens: dict[str, tuple[frozenset[str], float]] = {}
        # access token → what it was asked for
        self.scopes: dict[str, str] = {}
        # (project, location, name) → a GKE cluster as its interface describes it
        self.clusters: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.faults: dict[str, Any] = {}
        self.pages = 0
        self._seed(count)

    def _seed(self, count: int) -> None:
        main = self.projects[world.GOOGLE_PROJECT]
        now = time.time()
        for age, name in reversed(list(enumerate(world.google_names(count)))):
            main.secrets[("", name)] = {
                "create": now - 86_400 - age, "labels": labels(name), "versions": [world.value(name)]
            }  # fmt: skip
        main.secrets = dict(reversed(main.secrets.items()))
        for location, names in world.GOOGLE_REGIONAL.items():
            for name in reversed(names):
                main.put(name, world.value(name), location)
        self.projects[world.GOOGLE_OTHER].put("other-key", world.value("other-key"))

    def people(self) -> dict[str, str]:
        """Make the sandbox's service accounts and return their key.json by name."""
        main, other = world.GOOGLE_PROJECT, world.GOOGLE_OTHER
        accessor, viewer = "roles/secretmanager.secretAccessor", "roles/secretmanager.viewer"
        wanted = {
            "reader": (main, (accessor, viewer)),
            "writer": (main, (accessor, viewer, f"projects/{main}/roles/keyhavenSecretWriter")),
            "limited": (main, (accessor,)),
            "admin": (main, ("roles/owner",)),
            "other": (other, (accessor, viewer)),
            # Signs in to the GKE cluster, and renews its own keys.
            "console": (
                world.GOOGLE_CLUSTERS,
                (
                    "roles/container.clusterViewer",
                    "roles/iam.serviceAccountKeyAdmin",
                    "roles/policyanalyzer.activityAnalysisViewer",
                ),
            ),
        }
        keys = {}
        for name, (project, roles) in wanted.items():
            account = self.create_account(project, world.GOOGLE_CONSOLE if name == "console" else name)
            for role in roles:
                self.bind(self.projects[project].policy, role, f"serviceAccount:{account.email}")
            keys[name] = account.new_key()
            account.first_key = next(iter(account.keys))
        owner = f"serviceAccount:admin@{main}.iam.gserviceaccount.com"
        self.bind(self.projects[world.GOOGLE_CLUSTERS].policy, "roles/owner", owner)
        return keys

    def clear(self) -> None:
        """Forget the keys that were made since, and let those that were handed out work."""
        for account in self.accounts.values():
            account.keys = {name: key for name, key in account.keys.items() if name == account.first_key}
            for key in account.keys.values():
                key.disabled = False

    @staticmethod
    def bind(policy: Policy, role: str, member: str) -> None:
        policy.bindings.append({"role": role, "members": [member]})

    def create_account(
        self, project: str, name: str, display_name: str = "", description: str = ""
    ) -> Account:
        email = f"{name}@{project}.iam.gserviceaccount.com"
        if email in self.accounts:
            raise Refused(409, "ALREADY_EXISTS", f"Service account {name} already exists.")
        self.accounts[email] = Account(
            email, project, str(secrets.randbelow(10**21)).zfill(21), display_name, description
        )
        return self.accounts[email]

    def project(self, name: str) -> Project | None:
        """Return a project by its ID or number."""
        return next((one for one in self.projects.values() if name in (one.id, one.number)), None)

    def require(self, members: frozenset[str], permission: str, project: str, resource: str = "") -> Project:
        """Return the project, if the caller may.

        :raises Refused: 403, also for a project that is not there: Google does not tell
        """
        found = self.project(project)
        if found is None or not found.policy.grants(members, permission, resource):
            raise denied(permission, resource or f"projects/{project}")
        return found
