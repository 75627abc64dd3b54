"""A store that somebody else wrote, and which of our accesses reads the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accesses.models import Access
from accesses.providers import PROVIDERS
from clusters.kubernetes import errors
from external_secrets.exchange import losses, reading, yamls
from external_secrets.exchange.plain import items, mapping, mappings, text
from external_secrets.exchange.reading import StoreKey

ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
_AWS = {"SecretsManager": "aws-secrets-manager", "ParameterStore": "aws-parameter-store"}
# What other kinds of stores are called, as far as we meet them.
_LABELS = {
    "vault": "HashiCorp Vault", "azurekv": "Azure Key Vault", "fake": "Fake", "kubernetes": "Kubernetes",
    "onepassword": "1Password", "onepasswordSDK": "1Password", "doppler": "Doppler", "webhook": "Webhook",
    "conjur": "CyberArk Conjur", "gitlab": "GitLab", "ibm": "IBM Secrets Manager", "oracle": "Oracle Vault",
}  # fmt: skip
_ADDRESSES = ("server", "vaultUrl", "url", "serverURL", "connectHost", "remoteNamespace")


@dataclass(frozen=True, slots=True)
class Store:
    """A store: whose it is, where it reads, how it signs in, and what the operator says of it.

    `provider` is our slug, empty for a kind that we have no provider for.
    """

    key: StoreKey
    provider: str = ""
    label: str = "Unknown"
    # As in an access's configuration: `region`, or `project` and `region`.
    place: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    signs_in: str = ""
    role: str = ""
    audience: str = ""
    prefix: str = ""
    namespaces: tuple[str, ...] = ()
    manager: str = ""
    ready: str = ""
    reason: str = ""
    message: str = ""
    line: int = 0

    @property
    def where(self) -> str:
        return ", ".join(filter(None, (*self.place.values(), self.address)))

    @property
    def slug(self) -> str:
        """How a form names the choice for this store."""
        return f"{self.key.kind}.{self.key.namespace}.{self.key.name}"


def read(item: dict[str, Any], accounts: Mapping[tuple[str, str], dict[str, Any]] | None = None) -> Store:
    """Read a store; `accounts` are the ServiceAccounts that are known, by namespace and name."""
    metadata, spec = mapping(item.get("metadata")), mapping(item.get("spec"))
    kind = text(item.get("kind"), 40)
    namespace = "" if kind == "ClusterSecretStore" else text(metadata.get("namespace"), 63) or "default"
    name, found = next(iter(mapping(spec.get("provider")).items()), ("", {}))
    found = mapping(found)
    condition = reading.condition_of(item)
    open_to = [
        text(one, 63) for entry in mappings(spec.get("conditions")) for one in items(entry.get("namespaces"))
    ]
    facts = {"aws": _aws, "gcpsm": _google}.get(name, _other)(name, found, accounts or {})
    return Store(
        key=StoreKey(kind, text(metadata.get("name"), 253), namespace),
        namespaces=tuple(sorted(filter(None, open_to))),
        manager=losses.manager(metadata),
        ready=text(condition.get("status"), 10),
        reason=text(condition.get("reason"), 80),
        message=errors.redact(text(condition.get("message"))),
        line=yamls.line_of(item),
        **facts,
    )


def account_of(item: dict[str, Any]) -> tuple[str, str] | None:
    """Return the ServiceAccount that an AWS store signs in by, as (namespace, name), or None."""
    metadata = mapping(item.get("metadata"))
    found = mapping(mapping(mapping(item.get("spec")).get("provider")).get("aws"))
    reference = mapping(mapping(mapping(found.get("auth")).get("jwt")).get("serviceAccountRef"))
    name = text(reference.get("name"), 253)
    namespace = text(reference.get("namespace"), 63) or text(metadata.get("namespace"), 63)
    return (namespace, name) if name and namespace else None


def _account(reference: dict[str, Any], accounts: Mapping[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    found = accounts.get((text(reference.get("namespace"), 63), text(reference.get("name"), 253)), {})
    return mapping(mapping(found.get("metadata")).get("annotations"))


def _audience(reference: dict[str, Any]) -> str:
    found = reference.get("audiences")
    return text(found[0], 500) if isinstance(found, list) and found else ""


def _aws(
    name: str, found: dict[str, Any], accounts: Mapping[tuple[str, str], dict[str, Any]]
) -> dict[str, Any]:
    slug = _AWS.get(text(found.get("service"), 40), "")
    auth = mapping(found.get("auth"))
    reference = mapping(mapping(auth.get("jwt")).get("serviceAccountRef"))
    role = text(found.get("role")) or text(_account(reference, accounts).get(ROLE_ANNOTATION))
    words = "The operator's own identity"
    if reference:
        words = f"ServiceAccount {text(reference.get('name'), 253)}"
    elif auth.get("secretRef"):
        selector = mapping(mapping(auth["secretRef"]).get("accessKeyIDSecretRef"))
        words = f"Access key in the Secret {text(selector.get('name'), 253)}"
    return {
        "provider": slug,
        "label": PROVIDERS[slug].label if slug else "AWS",
        "place": {"region": text(found.get("region"), 64)},
        "signs_in": f"{words}, then {role}" if role else words,
        "role": role,
        "audience": _audience(reference),
        "prefix": text(found.get("prefix")),
    }


def _google(
    name: str, found: dict[str, Any], accounts: Mapping[tuple[str, str], dict[str, Any]]
) -> dict[str, Any]:
    auth = mapping(found.get("auth"))
    identity = mapping(auth.get("workloadIdentity")) or mapping(auth.get("workloadIdentityFederation"))
    reference = mapping(identity.get("serviceAccountRef"))
    words = "The operator's own identity"
    if identity:
        words = f"Workload identity of the ServiceAccount {text(reference.get('name'), 253)}"
    elif auth.get("secretRef"):
        selector = mapping(mapping(auth["secretRef"]).get("secretAccessKeySecretRef"))
        words = f"Key in the Secret {text(selector.get('name'), 253)}"
    return {
        "provider": "gcp-secret-manager",
        "label": PROVIDERS["gcp-secret-manager"].label,
        "place": {"project": text(found.get("projectID"), 120), "region": text(found.get("location"), 64)},
        "signs_in": words,
        "audience": _audience(reference),
    }


def _other(
    name: str, found: dict[str, Any], accounts: Mapping[tuple[str, str], dict[str, Any]]
) -> dict[str, Any]:
    address = next((text(found[one], 300) for one in _ADDRESSES if found.get(one)), "")
    auth = next(iter(mapping(found.get("auth"))), "")
    label = _LABELS.get(name, text(name, 60) or "Unknown")
    return {"label": label, "address": errors.redact(address), "signs_in": text(auth, 60)}


# -- our accesses ----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Match:
    """An access that may stand for a store; `overrides` are those of a variant that it needs to read the same."""

    access: Access
    overrides: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_exact(self) -> bool:
        return not self.overrides


def matches(store: Store, accesses: Iterable[Access]) -> list[Match]:
    """Return the accesses of the same kind, best first: of that name, exactly the same place, then the others."""
    found = [
        Match(access, _overrides(store, access))
        for access in accesses
        if access.provider == store.provider and _same_project(store, access)
    ]
    return sorted(
        found, key=lambda one: (len(one.overrides), one.access.name != store.key.name, one.access.name)
    )


def _same_project(store: Store, access: Access) -> bool:
    return store.place.get("project", "") in ("", access.configuration.get("project", ""))


def _overrides(store: Store, access: Access) -> dict[str, str]:
    """Return in what the store differs from the access's own: a variant's columns."""
    region = store.place.get("region", "")
    found = {} if region in ("", access.configuration.get("region", "")) else {"region": region}
    role = access.configuration.get("role_arn", "")
    if store.role and role and store.role != role:
        found["role_arn"] = store.role
    return found
