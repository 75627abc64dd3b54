"""Delinea DevOps Secrets Vault."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.validators import RegexValidator

from accesses.providers import selecting
from accesses.providers.addresses import AddressField
from accesses.providers.base import VAULTS, ConfigurationForm, Method, Provider, SecretField
from accesses.providers.configuring import AS_TYPED
from accesses.providers.delinea import devops_secrets_vault_client as client
from accesses.providers.references import PLAIN, Below, Note, NotReadable, Reference, split_field
from accesses.providers.writing import Writing

if TYPE_CHECKING:
    from accesses.models import Access

_PATH = re.compile(r"[\w.@+ -]+(/[\w.@+ -]+)*", re.ASCII)
_CHARACTERS = "letters, digits, spaces and . _ - @ +"
UNLISTED = "The operator cannot look for secrets in DevOps Secrets Vault: name each one."


class ClientForm(ConfigurationForm):
    """A client of a role."""

    WHERE = ("name", "tenant", "tld", "address")
    FOLDED = {"Another address": ("address",)}

    tenant = forms.CharField(
        label="Tenant", max_length=63, help_text="The first word of its address: acme of acme.secretsvaultcloud.com",
        validators=[RegexValidator(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z", "A tenant has small letters, digits and -.")],
        widget=forms.TextInput(attrs=AS_TYPED),
    )  # fmt: skip
    tld = forms.CharField(
        label="Region", initial="com", max_length=20, help_text="How its address ends: com, eu, ca or com.au",
        validators=[RegexValidator(r"^[a-z]{2,10}(\.[a-z]{2,10})?\Z", "This is how an address ends, as in com or com.au.")],
        widget=forms.TextInput(attrs=AS_TYPED),
    )  # fmt: skip
    address = AddressField(
        example="https://dsv.acme.com", required=False,
        help_text="Only where requests do not go to secretsvaultcloud: for example https://dsv.acme.com",
    )  # fmt: skip
    client_id = forms.CharField(label="Client ID", max_length=200, widget=forms.TextInput(attrs=AS_TYPED))
    client_secret = SecretField(label="Client secret", max_length=400)


def _auth(access: "Access", namespace: str) -> dict[str, Any]:
    """Return both; the operator refuses a reference without a namespace."""
    return {
        field: {"secretRef": selecting.key_of_secret(access, namespace, key)}
        for field, key in (("clientId", "client-id"), ("clientSecret", "client-secret"))
    }


def _secret_data(access: "Access") -> dict[str, str]:
    return {
        "client-id": access.configuration["client_id"], "client-secret": access.credential["client_secret"],
    }  # fmt: skip


def _store(access: "Access", auth: dict[str, Any] | None) -> dict[str, Any]:
    """Return `spec.provider`; its template of an address is Go's, given tenant, region, resource and path."""
    place = access.configuration
    spec = {"tenant": place["tenant"], "tld": place["tld"]} | (auth or {})
    if own := place.get("address"):
        spec["urlTemplate"] = own.replace("%", "%%") + "/v1/%[3]s%[4]s"
    return {"delinea": spec}


# -- references ---------------------------------------------------------------------------------------------------
def _path(text: str) -> str:
    path = text.strip().replace(":", "/").strip("/")
    if not _PATH.fullmatch(path):
        raise NotReadable(f"“{text[:80]}” is no path of a secret: those have {_CHARACTERS}, between slashes.")
    return path


def _read(text: str) -> Reference:
    """Return what a path says, with slashes or colons."""
    if text.strip().startswith(("arn:", "projects/", "http://", "https://")):
        raise NotReadable("A secret of DevOps Secrets Vault is named by its path: shop/database.")
    key, json_field = split_field(text)
    return Reference(_path(key), json_field)


def _check(access: "Access", reference: Reference, overrides: Mapping[str, str]) -> list[Note]:
    if reference.json_field:
        return []
    return [
        Note(
            "A secret there is JSON",
            "Name one of its fields, as in #password or in the field for it. Without one the whole JSON arrives; what was "
            "written here as plain text is under #value.",
        )
    ]


def _no_beginning(text: str) -> str:
    raise NotReadable(UNLISTED, "below")


REFERENCES = replace(
    PLAIN,
    key_help="A path such as shop/database; with #field for one field of its JSON: shop/database#password.",
    characters=_CHARACTERS,
    read=_read,
    check=_check,
    below=Below("Names that begin with", UNLISTED, _no_beginning, lambda path: path),
    tags_help=UNLISTED,
    several_note=UNLISTED,
    cannot={"path": UNLISTED, "tags": UNLISTED},
)


def _name(access: "Access", name: str) -> str:
    return _path(name)


METHODS = (
    Method(
        "client", "Client of a role", "Its ID and secret, stored encrypted here and in the cluster; you rotate it.",
        ClientForm, _auth, client.Session, secret_data=_secret_data,
        fields={"place": "tenant", "credential": "client_secret"},
        setup="accesses/setup/delinea_devops_secrets_vault_client.html",
    ),
)  # fmt: skip
PROVIDER = Provider(
    slug="delinea-devops-secrets-vault",
    label="Delinea DevOps Secrets Vault",
    sentence="Secrets of one tenant of DevOps Secrets Vault.",
    methods=METHODS,
    store_provider=_store,
    connect=client.Client,
    references=REFERENCES,
    policy=client.policy(client.LIST, client.READ),
    policy_note="list lets the console list paths, read lets the operator read values. Narrow the resources to a path, such as "
    "secrets:shop:<.*>.",
    group=VAULTS,
    typed_address=True,
    writing=Writing(
        policy=client.policy(client.LIST, client.READ, client.CREATE, client.UPDATE, client.DELETE),
        versions=False,
        most_bytes=200_000,
        name=_name,
        text_field=client.FIELD,
        note="A secret there is JSON: an object is kept as it is, all else under the key value. What is deleted is kept for 72 "
        "hours. Tags are attributes.",
    ),
    refusals=(*client.SIGN_IN, *client.REFUSALS),
    limits="Delinea publishes no limit of requests. The console asks for 100 names at once, the "
    "operator once for each external secret at each reading, and for a token when it has none.",
)
