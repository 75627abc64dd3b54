"""What the API sends and answers of accesses."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django import forms
from pydantic import Field

from accesses import about, outcomes, states
from accesses import forms as access_forms
from accesses.models import Access, Identity
from accesses.providers import PROVIDERS, Method, SecretField, Situation, Writing
from config.api.calls import Sent, Shown

LARGEST = 2_147_483_647
FIELDS: Any = Field(
    {},
    repr=False,
    max_length=30,
    description="The method's fields by name, as the list of providers has them. Secret ones are stored encrypted and "
    "never shown.",
)
ONLY_CLUSTER: Any = Field(
    False,
    description="Store it although no answer came to the test: only the cluster reaches an address such as "
    "http://vault.vault:8200. Then names are typed, and the operator tells whether it works.",
)
NAMESPACES = "Those whose external secrets may use it; each has a service that was discovered."


class StateShown(Shown):
    """One of the three states, which are never merged: accepted, validated, verified."""

    name: str = Field(examples=["Verified"])
    state: str = Field(examples=["verified"])
    at: datetime | None
    reason: str
    remedy: str


class FactShown(Shown):
    """One line of a test; `ok` null means that it could not be tried."""

    label: str
    ok: bool | None
    text: str


class TestShown(Shown):
    """What the last test found: never a secret's name."""

    at: datetime
    listed: bool = Field(description="Names were listed with the access's own identity.")
    facts: list[FactShown]
    reason: str
    remedy: str
    policy: str = Field(description="What would allow what is missing, to paste.")


class AccessShown(Shown):
    """A cluster's way into a secret manager; its credential is never shown."""

    id: UUID
    cluster: str
    name: str
    provider: str
    method: str
    configuration: dict[str, str] = Field(description="The method's fields that are no secrets.")
    identity: str = Field(description="Whom the cluster signs in as, as far as it is known.")
    cloud_credential: str | None = Field(description="One of the organization's that is used, by its name.")
    credential_set_at: datetime | None
    credential_set_by: str
    expires_at: datetime | None = Field(
        description="When a temporary credential ends, where somebody said so."
    )
    namespaces: list[str]
    prefix: str = Field(description="What the names begin with that it sees, links and writes; empty is all.")
    tags: dict[str, str] = Field(description="Put on every secret that is made through it.")
    writes: bool = Field(description="Secrets may be written through it; that is allowed on its page alone.")
    only_tagged: bool = Field(description="It sees only secrets that have these tags.")
    only_cluster_reaches: bool = Field(
        description="Somebody said so, and no test from here got an answer since: names are typed."
    )
    refresh_seconds: int = Field(description="What a new link begins with; 0 is the console's own, an hour.")
    store: str = Field(description="The name of its ClusterSecretStore.")
    service_account: str
    states: list[StateShown]
    test: TestShown | None
    version: int = Field(description="Goes up with each change; send it with the next one.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, access: Access, made: Identity | None) -> Self:
        """Return what may be told of an access; `made` is what automatic mode made for it."""
        provider = PROVIDERS[access.provider]
        known = about.who(access, provider.method(access.method), made)
        named = (
            "id", "name", "provider", "method", "credential_set_at", "credential_set_by", "expires_at", "namespaces",
            "prefix", "tags", "writes", "only_tagged", "refresh_seconds",
            "service_account", "version", "created_at", "updated_at",
        )  # fmt: skip
        return cls(
            **{name: getattr(access, name) for name in named},
            cluster=access.cluster.name,
            only_cluster_reaches=outcomes.is_apart(access),
            configuration={name: str(value) for name, value in access.configuration.items()},
            identity=known.name or known.text,
            cloud_credential=access.cloud_credential.name if access.cloud_credential else None,
            store=access.store_name,
            states=[_state(one) for one in states.of(access)],
            test=_test(access),
        )


class FieldShown(Shown):
    """One field of a method."""

    name: str
    label: str
    help: str
    required: bool
    secret: bool = Field(description="It is stored encrypted, and never shown.")
    choices: list[str] = Field(description="What it can be; empty where anything may be sent.")
    default: str


class MethodShown(Shown):
    """A way to sign in, and whether it is possible on this cluster."""

    method: str
    label: str
    consequence: str
    possible: bool
    obstacle: str = Field(description="Why it is not possible, and what would make it so.")
    fields: list[FieldShown]


class WritingShown(Shown):
    """What can be written to a kind of secret manager, once an access allows it."""

    policy: str = Field(description="What the identity has to be allowed besides, as text to paste.")
    most_bytes: int = Field(description="The largest value, in bytes as UTF-8.")
    versions: bool = Field(description="A new version leaves the older ones there.")
    restores: bool = Field(description="What was deleted can be brought back.")
    tags: bool = Field(description="What is made can have tags.")
    note: str


class ProviderShown(Shown):
    """A kind of secret manager."""

    provider: str
    label: str
    description: str
    group: str = Field(description="Under which heading the console offers it.")
    unlisted: str = Field(description="Why names cannot be listed, and are typed; empty where they can.")
    policy: str = Field(description="What the identity has to be allowed, as text to paste.")
    writing: WritingShown | None = Field(
        description="Null where nothing is written; an access may allow less, such as version 1 of Vault's engine."
    )
    methods: list[MethodShown]


class ProvidersShown(Shown):
    """The kinds of secret managers."""

    items: list[ProviderShown]


class AccessSent(Sent):
    """An access to make; it is tried before it is stored."""

    provider: str = Field(examples=["aws-secrets-manager"])
    method: str = Field(examples=["static"])
    name: str = Field(examples=["aws-prod"])
    namespaces: list[str] = Field(max_length=500, description=NAMESPACES)
    fields: dict[str, str] = FIELDS
    only_cluster_reaches: bool = ONLY_CLUSTER


class AccessChange(Sent):
    """What is to be otherwise; what is left out stays. What is signed in with anew is tried before."""

    version: int = Field(
        ge=1, le=LARGEST, description="As it was read: another one in between is a conflict."
    )
    method: str | None = Field(None, description="Another way to sign in.")
    namespaces: list[str] | None = Field(None, max_length=500, description=NAMESPACES)
    fields: dict[str, str] = FIELDS
    only_cluster_reaches: bool = ONLY_CLUSTER


def provider(situation: Situation) -> ProviderShown:
    """Return a provider with its methods, as a cluster's situation lets them be."""
    known = PROVIDERS[situation.provider]
    return ProviderShown(
        provider=known.slug,
        label=known.label,
        description=known.sentence,
        group=known.group,
        unlisted=known.unlisted,
        policy=known.policy,
        writing=_writing(known.writing),
        methods=[_method(method, situation) for method in known.methods],
    )


def _writing(known: Writing | None) -> WritingShown | None:
    if known is None:
        return None
    names = ("policy", "most_bytes", "versions", "restores", "tags", "note")
    return WritingShown(**{name: getattr(known, name) for name in names})


def _method(method: Method, situation: Situation) -> MethodShown:
    obstacle = method.obstacle(situation)
    form = method.form(initial={}, situation=situation)
    access_forms.close_fields(form, PROVIDERS[situation.provider])
    return MethodShown(
        method=method.slug,
        label=method.label,
        consequence=method.consequence,
        possible=obstacle is None,
        obstacle=f"{obstacle.reason} {obstacle.remedy}".strip() if obstacle else "",
        fields=[
            _field(name, field, form.initial)
            for name, field in form.fields.items()
            if not isinstance(field, forms.FileField)
        ],
    )


def _field(name: str, field: forms.Field, initial: Mapping[str, Any]) -> FieldShown:
    offered = getattr(field, "choices", ())
    return FieldShown(
        name=name,
        label=str(field.label or name),
        help=str(field.help_text),
        required=field.required,
        secret=isinstance(field, SecretField),
        choices=[str(value) for value, _ in offered if str(value)],
        default=str(initial.get(name) or field.initial or ""),
    )


def _state(state: states.State) -> StateShown:
    return StateShown(
        name=state.label, state=state.badge, at=state.at, reason=state.text, remedy=state.remedy
    )


def _test(access: Access) -> TestShown | None:
    found = access.result
    if not found or access.tested_at is None:
        return None
    facts = [FactShown(label=one["label"], ok=one["ok"], text=one["text"]) for one in found["facts"]]
    said = {name: found.get(name, "") for name in ("reason", "remedy", "policy")}
    return TestShown(at=access.tested_at, listed=bool(found["listed"]), facts=facts, **said)
