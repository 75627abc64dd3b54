"""BeyondTrust Password Safe."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django import forms
from django.core.validators import RegexValidator

from accesses.providers import selecting
from accesses.providers.addresses import AddressField
from accesses.providers.base import VAULTS, ConfigurationForm, Method, Provider, SecretField
from accesses.providers.beyondtrust import client, session
from accesses.providers.configuring import AS_TYPED
from accesses.providers.references import PLAIN, Below, Note, NotReadable, Reference
from accesses.providers.writing import Writing
from config import egress

if TYPE_CHECKING:
    from accesses.models import Access

_GUID = RegexValidator(
    r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z",
    "An ID there looks like 1b5e2a3c-0d4f-4a6b-8c7d-9e0f1a2b3c4d.",
)
_ONE_WORD = RegexValidator(
    r"^[^;\[\]\x00-\x1f\x7f]+\Z", "This cannot have ; [ ] in it: they end it in the request's header."
)
VERSIONS = (("", "The server's own"), ("3.0", "3.0"), ("3.1", "3.1"), ("3.2", "3.2"))
# What the operator's library takes.
_LONGEST_PATH, _LONGEST_TITLE = 1792, 256
UNLISTED = "The operator cannot look for secrets in Password Safe: name each one."
NO_KEYS = (
    "The operator does not take the keys of a value apart that it reads from Password Safe: link each value."
)
NO_FIELD = "The operator takes the whole value of a secret of Password Safe, and no field of it."


class _PlaceForm(ConfigurationForm):
    """Where the secrets are."""

    WHERE = ("name", "address", "folder", "separator", "version")
    FOLDED = {"Separator and API version": ("separator", "version")}

    address = AddressField(
        example="https://acme.ps.beyondtrustcloud.com",
        help_text="For example https://acme.ps.beyondtrustcloud.com; /BeyondTrust/api/public/v3 is added.",
    )
    folder = forms.CharField(
        label="Folder ID", required=False, max_length=36, validators=[_GUID], widget=forms.TextInput(attrs=AS_TYPED),
        help_text="Of Secrets Safe. Secrets are made in this folder and those below it. Not needed for reading.",
    )  # fmt: skip
    separator = forms.CharField(
        label="Separator", initial="/", max_length=1, widget=forms.TextInput(attrs=AS_TYPED),
        help_text="One character between folders and title. Another one where a title has a slash.",
    )  # fmt: skip
    version = forms.ChoiceField(label="API version", required=False, choices=VERSIONS)

    def clean_address(self) -> str:
        """Return the address.

        :raises ValidationError: the operator would refuse it
        """
        address = str(self.cleaned_data["address"])
        parts = urlsplit(address)
        if parts.scheme != "https" and not egress.is_loopback(parts.hostname or ""):
            raise forms.ValidationError("The operator takes only an address that begins with https.")
        return address


class OAuthForm(_PlaceForm):
    """The client of an application user."""

    client_id = forms.CharField(
        label="Client ID", max_length=36, min_length=36, widget=forms.TextInput(attrs=AS_TYPED),
        help_text="36 characters; the operator takes no other.",
    )  # fmt: skip
    client_secret = SecretField(label="Client secret", min_length=36, max_length=64)


class KeyForm(_PlaceForm):
    """The key of an API registration, and whom it runs as."""

    run_as = forms.CharField(
        label="Run as", max_length=200, validators=[_ONE_WORD], widget=forms.TextInput(attrs=AS_TYPED),
        help_text="The user, for example acme\\svc-keyhaven. It is sent with the key.",
    )  # fmt: skip
    api_key = SecretField(label="API key", max_length=200, validators=[_ONE_WORD])
    password = SecretField(
        label="Password", max_length=200, required=False, validators=[_ONE_WORD],
        help_text="Of that user; only where the API registration asks for it.",
    )  # fmt: skip


# -- the store ----------------------------------------------------------------------------------------------------
def _selector(access: "Access", namespace: str, key: str) -> dict[str, Any]:
    return {"secretRef": selecting.key_of_secret(access, namespace, key)}


def _oauth_auth(access: "Access", namespace: str) -> dict[str, Any]:
    return {
        "clientId": _selector(access, namespace, "client-id"),
        "clientSecret": _selector(access, namespace, "client-secret"),
    }


def _oauth_data(access: "Access") -> dict[str, str]:
    return {
        "client-id": access.configuration["client_id"], "client-secret": access.credential["client_secret"],
    }  # fmt: skip


def _key_auth(access: "Access", namespace: str) -> dict[str, Any]:
    return {"apiKey": _selector(access, namespace, "api-key")}


def _key_data(access: "Access") -> dict[str, str]:
    """Return the key with whom it runs as: the store has no field for that, and the operator sends it as it stands."""
    return {"api-key": session.api_key(access.configuration, access.credential)}


def _store(access: "Access", auth: dict[str, Any] | None) -> dict[str, Any]:
    """Return `spec.provider`; another retrieval type would read managed accounts."""
    place = access.configuration
    server = {
        "apiUrl": f"{session.address(place)}/", "verifyCA": True, "retrievalType": "SECRET",
        "separator": place.get("separator") or "/",
    }  # fmt: skip
    if place.get("version"):
        server["apiVersion"] = place["version"]
    return {"beyondtrust": {"server": server, "auth": auth or {}}}


# -- references ---------------------------------------------------------------------------------------------------
def _read(text: str) -> Reference:
    text = text.strip()
    if text.startswith(("arn:", "projects/", "https://", "http://")):
        raise NotReadable("A secret of Password Safe is named by its folder and its title: Shop/Database.")
    if "#" in text:
        raise NotReadable(f"{NO_FIELD} Take the # away.")
    if not text or not text.isprintable():
        raise NotReadable("A secret is named by its folder and its title, of characters that can be seen.")
    return Reference(text)


def _parts(access: "Access", name: str) -> tuple[str, str]:
    """Return folder and title of a name.

    :raises NotReadable: it is none
    """
    separator = access.configuration.get("separator") or "/"
    path, found, title = name.rpartition(separator)
    if not found or not path.strip() or not title.strip() or re.search(rf"{re.escape(separator)}{{2}}", name):
        raise NotReadable(f"“{name[:80]}” names no folder and title, with {separator} between them.")
    if len(path) > _LONGEST_PATH or len(title) > _LONGEST_TITLE:
        raise NotReadable(f"A path has at most {_LONGEST_PATH} characters, a title {_LONGEST_TITLE}.")
    return path, title


def _check(access: "Access", reference: Reference, overrides: Mapping[str, str]) -> list[Note]:
    _parts(access, reference.key)
    return []


def _name(access: "Access", name: str) -> str:
    _parts(access, name.strip())
    return name.strip()


def _no_beginning(text: str) -> str:
    raise NotReadable(UNLISTED, "below")


REFERENCES = replace(
    PLAIN,
    key_help="The folder's path and the title: Shop/Database.",
    characters="what a folder and a title have in Password Safe",
    read=_read,
    check=_check,
    below=Below("Names that begin with", UNLISTED, _no_beginning, lambda path: path),
    tags_help="Secrets Safe has no tags: nothing is found by them.",
    has_tags=lambda wanted, found: False,
    tags_listed=False,
    several_note=UNLISTED,
    cannot={"keys": NO_KEYS, "path": UNLISTED, "tags": UNLISTED, "json_field": NO_FIELD},
)

_FIELDS = {"place": "address"}
METHODS = (
    Method(
        "oauth", "OAuth client", "The client of an application user, stored encrypted here and in the cluster; you rotate it.",
        OAuthForm, _oauth_auth, session.Session, secret_data=_oauth_data,
        fields=_FIELDS | {"credential": "client_secret"}, setup="accesses/setup/beyondtrust_oauth.html",
    ),
    Method(
        "api-key", "API key", "The key of an API registration with a user, stored encrypted here and in the cluster; you rotate it.",
        KeyForm, _key_auth, session.Session, secret_data=_key_data,
        fields=_FIELDS | {"credential": "api_key"}, setup="accesses/setup/beyondtrust_api_key.html",
    ),
)  # fmt: skip
PROVIDER = Provider(
    slug="beyondtrust",
    label="BeyondTrust Password Safe",
    sentence="Secrets of Secrets Safe, in the cloud or your own.",
    methods=METHODS,
    store_provider=_store,
    connect=client.Client,
    references=REFERENCES,
    policy=session.policy(session.READ),
    policy_note="The operator reads values with it, the console lists names. Password Safe has one permission for both.",
    group=VAULTS,
    typed_address=True,
    writing=Writing(
        policy=session.policy(session.WRITE),
        versions=False,
        restores=False,
        tags=False,
        most_bytes=4096,
        name=_name,
        note="A new secret is a text of at most 4096 characters; of a credential the password is replaced, which has at most "
        "256. What is deleted is gone.",
    ),
    refusals=(*session.SIGN_IN, *session.REFUSALS),
    limits="BeyondTrust publishes no limit. The console asks for 500 names at once, and signs in and out around each request; the "
    "operator signs in for each external secret at each reading.",
)
