"""Elasticsearch: secrets as encrypted documents of an index, which clusters read through the console's gateway."""

import contextlib
import datetime
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django import forms
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accesses.providers.addresses import AddressField, AuthorityField
from accesses.providers.asking import understood
from accesses.providers.base import ELSEWHERE, Entry, Method, Page, Probe, Provider, SecretField
from accesses.providers.elasticsearch import documents, wire
from accesses.providers.elasticsearch.documents import Document
from accesses.providers.gateway import references as gateway_references
from accesses.providers.gateway import ways as gateway
from accounts.encryption import Unreadable
from built_in import names, services
from built_in.services import Found
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

SLUG = "elasticsearch"
SHOWN = 100
INDEX = "keyhaven-secrets"
# Elasticsearch's own rule, of which the console needs no upper half.
_INDEX = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}")
_FIRST = {
    "address": AddressField(example="https://elasticsearch.example:9200"),
    "index": forms.CharField(
        label="Index", initial=INDEX, max_length=200,
        help_text="Of the console alone: it is made with the first secret that is written.",
    ),
    "ca": AuthorityField(),
}  # fmt: skip


class _Form(gateway.GatewayForm):
    """Where the index is; then who signs in."""

    address, index, ca = _FIRST["address"], _FIRST["index"], _FIRST["ca"]

    WHERE = ("name", "address", "index", "ca")

    def clean_index(self) -> str:
        index: str = self.cleaned_data["index"]
        if not _INDEX.fullmatch(index):
            raise forms.ValidationError(
                "An index has lower-case letters, digits and . _ -, and begins with a letter or a digit."
            )
        return index


class PasswordForm(_Form):
    """A user of Elasticsearch's own."""

    user = forms.CharField(label="User", max_length=200)
    password = SecretField(label="Password", max_length=1000)

    field_order = ["address", "index", "ca", "user", "password"]

    def clean_user(self) -> str:
        user: str = self.cleaned_data["user"]
        if ":" in user or not user.isprintable():
            raise forms.ValidationError("A user's name has no colon and no control characters.")
        return user


class KeyForm(_Form):
    """An API key, encoded as Elasticsearch shows it."""

    api_key = SecretField(label="API key", max_length=1000, help_text="As `encoded`, which is base64.")

    field_order = ["address", "index", "ca", "api_key"]

    def clean_api_key(self) -> str:
        key: str = self.cleaned_data["api_key"]
        if key and not re.fullmatch(r"[A-Za-z0-9+/=_-]+", key):
            raise forms.ValidationError("An encoded API key is base64: letters, digits and + / = only.")
        return key


@sensitive_variables()
def _by_password(access: "Access | AccessDraft") -> str:
    password = (access.credential or {}).get("password", "")
    return _signed_in(access, wire.basic(access.configuration["user"], password) if password else "")


@sensitive_variables()
def _by_key(access: "Access | AccessDraft") -> str:
    key = (access.credential or {}).get("api_key", "")
    return _signed_in(access, f"ApiKey {key}" if key else "")


@sensitive_variables()
def _signed_in(access: "Access | AccessDraft", authorization: str) -> str:
    """Return what is sent with each request.

    :raises CredentialRefused: nothing to sign in with is stored, or no token
    """
    if not authorization:
        raise errors.CredentialRefused("The access has no password or API key.", "Enter it on the edit page.")
    gateway.check_token(access)
    return authorization


class Client:
    """Lists and writes the organization's documents; a value it reads for the gateway alone."""

    def __init__(self, access: "Access | AccessDraft", authorization: str) -> None:
        self._access, self.index = access, wire.Index(access, authorization)

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries by name; what is deleted says until when it is kept."""
        if not set(prefix) <= names.ALLOWED:
            return Page([])
        found = self.index.listed(prefix, cursor, SHOWN)
        with understood(wire.VENDOR):
            more = str(found[-1]["name"]) if len(found) == SHOWN else ""
            return Page([_entry(one) for one in found], more)

    def whoami(self) -> str:
        return self.index.whoami()

    def probe(self, entries: list[Entry]) -> list[Probe]:
        """Return whether the index may be read, by Elasticsearch's own test, and whether the cluster gets here."""
        held = self.index.privileges(wire.READING)
        told = [Probe(one, ok, "Tested" if ok else "Denied") for one, ok in held.items()]
        return [*told, *gateway.probe(self._access, entries)]

    def statement(self, actions: list[str]) -> str:
        return wire.role(self.index.name, wire.READING)

    @sensitive_variables()
    def read(self, name: str, number: int | None) -> Found:
        """Return a value, for the gateway.

        :raises NotThere: it is gone, or deleted
        :raises Unreadable: the document is not what the console wrote
        """
        document, _ = self.index.document(name)
        try:
            with understood(wire.VENDOR):
                if document["deleted_at"]:
                    raise errors.NotThere(f"There is no secret named {name}.")
                return documents.opened(document, self.index.owner, name, number)
        except errors.NotReachable:
            # Somebody else has written it: asking again changes nothing.
            raise Unreadable("A document is not as the console writes it.") from None

    # -- writing -------------------------------------------------------------------------------------------------
    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Make a secret and return its reference, which is its name."""
        names.check(name)
        names.check_size(value)
        try:
            self.index.create(documents.new(self.index.owner, name, value, tags))
        except errors.Raced:
            raise errors.AlreadyThere(
                f"There is a secret named {name}, or a deleted one that is still kept.",
                "Give it a new version, or restore it.",
            ) from None
        return name

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        """Give a secret a new version."""
        names.check_size(value)
        self.index.change(name, lambda found: documents.with_value(found, value))

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        self.index.change(name, lambda found: documents.with_tags(found, tags))

    def delete(self, name: str) -> datetime.datetime | None:
        """Delete a secret; what was deleted long ago is erased by the way."""
        self.index.change(name, documents.deleted)
        with contextlib.suppress(errors.ProviderError):
            self.index.purge()
        return services.ends(timezone.now())

    def restore(self, name: str) -> None:
        self.index.change(name, documents.restored, was_deleted=True)


def _entry(found: Document) -> Entry:
    gone = found.get("deleted_at")
    return Entry(
        name=str(found["name"]),
        reference=str(found["name"]),
        kind="document",
        changed_at=datetime.datetime.fromisoformat(found["changed_at"]),
        tags={str(name): str(value) for name, value in found["tags"].items()},
        deletes_at=services.ends(datetime.datetime.fromisoformat(gone)) if gone else None,
    )


_FIELDS = {"place": "index"}
METHODS = (
    Method(
        slug="password",
        label="User and password",
        consequence="A user of Elasticsearch; the password is stored encrypted here, and never in the cluster.",
        form=PasswordForm,
        auth=gateway.reference,
        sign_in=_by_password,
        secret_data=gateway.secret_data,
        fields=_FIELDS | {"credential": "password"},
        setup="accesses/setup/elasticsearch.html",
    ),
    Method(
        slug="api-key",
        label="API key",
        consequence="A key with an end and privileges of its own; stored encrypted here, and never in the cluster.",
        form=KeyForm,
        auth=gateway.reference,
        sign_in=_by_key,
        secret_data=gateway.secret_data,
        fields=_FIELDS | {"credential": "api_key"},
        setup="accesses/setup/elasticsearch.html",
    ),
)
PROVIDER = Provider(
    slug=SLUG,
    label="Elasticsearch",
    sentence="Documents of an index of yours, encrypted by this console.",
    methods=METHODS,
    store_provider=gateway.store,
    connect=Client,
    references=gateway_references.GATEWAY,
    policy=wire.role(INDEX, wire.READING),
    policy_note="Whoever reads the index sees names, tags and times. Values open only with this console's key.",
    group=ELSEWHERE,
    hands_out=True,
    writing=gateway.writes(
        wire.role(INDEX, wire.WRITING),
        "The value is encrypted by this console and kept in the index with its 20 newest versions. A deleted secret can "
        "be brought back for as long as BUILT_IN_DELETED_DAYS says.",
    ),
    refusals=wire.REFUSALS,
    limits="Elasticsearch has no fixed limit: when its queues are full it answers 429, and nothing is tried twice. The "
    "gateway answers GATEWAY_PER_ACCESS requests a minute of one access, 600 unless set otherwise.",
    secret_labels=gateway.LABELS,
)
