"""What a provider is: a frozen record that builds and validates, and a client that works."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from accesses.providers import references
from accesses.providers.asking import Refusal
from accesses.providers.configuring import ConfigurationForm as ConfigurationForm
from accesses.providers.references import References
from accesses.providers.writing import Writing
from credentials.clouds import errors
from credentials.fields import SecretField as SecretField

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft
    from clusters.models import Cluster


CLOUDS, VAULTS, ELSEWHERE = "Clouds", "Vaults and password managers", "This console and others"
GROUPS = (CLOUDS, VAULTS, ELSEWHERE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One upstream secret's name and public facts."""

    name: str
    reference: str
    kind: str = ""
    description: str = ""
    changed_at: datetime.datetime | None = None
    tags: dict[str, str] = field(default_factory=dict)
    # It is scheduled for deletion: until when it can be brought back, or since when it is, as the manager tells.
    deletes_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries, and the cursor of the next page or an empty string."""

    entries: list[Entry]
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether the identity has one of the needed actions; `ok` None is “could not be told”, `text` says why or how.

    `on` is the name of the secret that it was tried on, which not everybody may see.
    """

    action: str
    ok: bool | None
    text: str = ""
    on: str = ""


class SecretManager(Protocol):
    """A connected secret manager. Its methods raise nothing but `ProviderError`."""

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries whose name starts with `prefix`, in the manager's order."""

    def whoami(self) -> str:
        """Return the identity that the credential signs in as, for example an ARN; only to be shown."""

    def probe(self, entries: list[Entry]) -> list[Probe]:
        """Return which of the needed actions the identity has, tried on one of these entries without reading a value."""

    def statement(self, actions: list[str]) -> str:
        """Return what would allow these actions, as text to paste."""


@runtime_checkable
class TellsChanges(Protocol):
    """What a secret manager has besides when it can list what is new; its provider says so with `tells_changes`."""

    def changes(self, since: datetime.datetime, cursor: str = "") -> Page:
        """Return entries that are new since then, or changed where the manager tells; without a cursor it is the last page.

        What is gone is never told: that takes the whole list.
        """


@runtime_checkable
class TellsEnd(Protocol):
    """What a secret manager has besides when it can say how long what it was signed in with holds."""

    def ends_at(self) -> datetime.datetime | None:
        """Return when the stored credential ends, or None if it has no end."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a method cannot be chosen on a cluster, and what would make it possible; `page` is where, a URL name."""

    reason: str
    remedy: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """Another access of the same cluster."""

    name: str
    cloud: str
    method: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What it depends on whether a method is possible: the cluster, the provider, its other accesses."""

    cluster: "Cluster"
    provider: str = ""
    others: tuple[Other, ...] = ()
    # Whether the one who fills the form in may see the organization's cloud credentials.
    sees_credentials: bool = True

    def other(self, cloud: str, method: str) -> Other | None:
        """Return one that signs in to the same cloud by a certain method."""
        return next((one for one in self.others if (one.cloud, one.method) == (cloud, method)), None)


def _nothing(access: Any) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Method:
    """One way for a cluster to sign in; `consequence` is the line that helps to choose.

    `auth` is what stands in the store's `auth`, or None for the operator's own identity. `secret_data` is the data of
    the Secret that it names. `annotations` are those of the access's own ServiceAccount, None where it needs none.
    `sign_in` returns what the provider's client signs requests with. `obstacle` says why it is not possible.
    """

    slug: str
    label: str
    consequence: str
    form: type[ConfigurationForm]
    auth: Callable[["Access", str], dict[str, Any] | None]
    sign_in: Callable[["Access | AccessDraft"], Any]
    secret_data: Callable[["Access"], dict[str, str]] = _nothing
    annotations: Callable[["Access | AccessDraft"], dict[str, str]] | None = None
    obstacle: Callable[[Situation], Obstacle | None] = lambda situation: None
    # The template with the numbered cards that lead to what the form asks for.
    setup: str = ""
    # The identity is made by a deploy: what it will be made with is tried instead, told as (label, text).
    rehearse: Callable[["Access | AccessDraft"], list[tuple[str, str]]] | None = None
    # The form's fields that a refused `credential`, a missing `trust` and a wrong `place` are about.
    fields: Mapping[str, str] = field(default_factory=dict)
    # What a reference can be where the operator reads otherwise by this method than by the provider's others
    references: References | None = None

    def field_of(self, error: errors.ProviderError) -> str:
        """Return the form's field that an error is about, or an empty string."""
        kinds = {
            errors.TrustMissing: "trust",
            errors.CredentialRefused: "credential",
            errors.NotThere: "place",
        }
        kind = next((name for cls, name in kinds.items() if isinstance(error, cls)), "")
        return self.fields.get(kind, "")


@dataclass(frozen=True, slots=True)
class Provider:
    """One kind of secret manager: how it is configured, what the operator needs, how the console lists names."""

    slug: str
    label: str
    sentence: str
    methods: tuple[Method, ...]
    # (access, what stands in `auth`) → `spec.provider` of its ClusterSecretStore
    store_provider: Callable[["Access", dict[str, Any] | None], dict[str, Any]]
    connect: Callable[["Access | AccessDraft", Any], SecretManager]
    # What the credential must be allowed, as text to copy, and what to know about it
    policy: str
    policy_note: str = ""
    # `aws`, `gcp`, or empty: the cloud whose accounts and credentials it uses
    cloud: str = ""
    # What a reference to one of its secrets can be
    references: References = references.PLAIN
    # Where that depends on the access: what holds for one
    references_by: Callable[["Access | AccessDraft"], References] | None = None
    # Its client has `changes`: see TellsChanges.
    tells_changes: bool = False
    # Under which heading the wizard offers it
    group: str = CLOUDS
    # How its client is written to: see `writing.Writes`; None where it cannot be.
    writing: Writing | None = None
    # Where that depends on the access: what holds for one
    writing_by: Callable[["Access"], Writing] | None = None
    # What its refusals mean, as docs/providers tells them
    refusals: tuple[Refusal, ...] = ()
    # How many requests the vendor allows, and what the console and the operator make of it
    limits: str = ""
    # Why names cannot be listed by the console; empty where they can. Then they are typed.
    unlisted: str = ""
    # The console reads its values, to hand them out to the operator; its own database keeps them
    hands_out: bool = False
    keeps: bool = False
    # Somebody types its address, which may be one that only the cluster reaches.
    typed_address: bool = False
    # What the numbered cards of its methods show, beside what holds for all
    cards: Callable[["Access | AccessDraft"], dict[str, Any]] | None = None
    # Labels that its credential's Secret needs
    secret_labels: Mapping[str, str] = field(default_factory=dict)

    def writing_of(self, access: "Access") -> Writing | None:
        """Return how an access of this provider is written to; None where it cannot be."""
        return self.writing_by(access) if self.writing_by else self.writing

    def method(self, slug: str) -> Method | None:
        return next((method for method in self.methods if method.slug == slug), None)

    def method_of(self, access: "Access | AccessDraft") -> Method:
        """Return the method of an access.

        :raises LookupError: this version of the console does not know it
        """
        method = self.method(access.method)
        if method is None:
            raise LookupError(f"{self.label} has no method {access.method}.")
        return method

    def references_of(self, access: "Access") -> References:
        """Return what a reference through an access can be."""
        if self.references_by is not None:
            return self.references_by(access)
        method = self.method(access.method)
        if method and method.references:
            return method.references
        return self.references_by(access) if self.references_by else self.references
