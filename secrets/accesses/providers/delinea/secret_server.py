"""Delinea Secret Server."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.validators import RegexValidator

from accesses.providers import selecting
from accesses.providers.addresses import AddressField, AuthorityField, bundle
from accesses.providers.base import VAULTS, ConfigurationForm, Method, Provider, SecretField
from accesses.providers.configuring import AS_TYPED
from accesses.providers.delinea import secret_server_client as client
from accesses.providers.delinea.secret_server_references import REFERENCES
from accesses.providers.references import NotReadable
from accesses.providers.writing import Writing

if TYPE_CHECKING:
    from accesses.models import Access

_LONGEST_NAME = 128


def _number(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label, required=False, max_length=9, help_text=help_text,
        validators=[RegexValidator(r"^[1-9]\d*\Z", "An ID is a number, as the address of its page has it.")],
        widget=forms.TextInput(attrs=AS_TYPED | {"inputmode": "numeric"}),
    )  # fmt: skip


class _PlaceForm(ConfigurationForm):
    """Where the secrets are."""

    WHERE = ("name", "address", "folder", "template", "ca")
    FOLDED = {"Certificate of an authority of your own": ("ca",)}

    address = AddressField(example="https://acme.secretservercloud.com")
    folder = _number("Folder ID", "Only this folder and those below it are listed. Empty lists all.")
    template = _number("Template ID", "Of the secrets that are made from here. Not needed for reading.")
    ca = AuthorityField()


class PasswordForm(_PlaceForm):
    """An account of Secret Server, or of a directory."""

    user = forms.CharField(label="User name", max_length=200, widget=forms.TextInput(attrs=AS_TYPED))
    password = SecretField(label="Password", max_length=400)
    domain = forms.CharField(
        label="Domain", required=False, max_length=200, widget=forms.TextInput(attrs=AS_TYPED),
        help_text="Of an account of Active Directory; empty for one of Secret Server itself.",
    )  # fmt: skip


class TokenForm(_PlaceForm):
    """A token as somebody got it."""

    token = SecretField(label="Access token", max_length=8000)


def _selector(access: "Access", namespace: str, key: str) -> dict[str, Any]:
    return {"secretRef": selecting.key_of_secret(access, namespace, key)}


def _password_auth(access: "Access", namespace: str) -> dict[str, Any]:
    auth = {key: _selector(access, namespace, key) for key in ("username", "password")}
    domain = access.configuration.get("domain")
    return auth | ({"domain": domain} if domain else {})


def _password_data(access: "Access") -> dict[str, str]:
    return {"username": access.configuration["user"], "password": access.credential["password"]}


def _token_data(access: "Access") -> dict[str, str]:
    return {"token": access.credential["token"]}


def _token_auth(access: "Access", namespace: str) -> dict[str, Any]:
    return {"token": _selector(access, namespace, "token")}


def _store(access: "Access", auth: dict[str, Any] | None) -> dict[str, Any]:
    """Return `spec.provider`; who signs in stands beside the address."""
    place = access.configuration
    spec = {"serverURL": place["address"]} | (auth or {})
    return {"secretserver": spec | ({"caBundle": bundle(place["ca"])} if place.get("ca") else {})}


def _name(access: "Access", name: str) -> str:
    """Return the path of a secret to write.

    :raises NotReadable: it is none
    """
    name = name.strip()
    folder, _, title = name.rpartition("/")
    if not name.startswith("/") or not folder or not title or "//" in name or "\\" in name:
        raise NotReadable("A secret is made in a folder that is there: /Folder/Name.")
    if len(title) > _LONGEST_NAME:
        raise NotReadable(f"A secret's name has at most {_LONGEST_NAME} characters.")
    if not access.configuration.get("template"):
        raise NotReadable("The access has no secret template: enter its ID in the access's settings.")
    return name


_FIELDS = {"place": "address"}
METHODS = (
    Method(
        "password", "User name and password", "Stored encrypted here and in the cluster; you rotate it.",
        PasswordForm, _password_auth, client.Session,
        secret_data=_password_data,
        fields=_FIELDS | {"credential": "password"}, setup="accesses/setup/delinea_secret_server_password.html",
    ),
    Method(
        "token", "Access token", "Ends after twenty minutes, unless Secret Server is set up otherwise: to try things out.",
        TokenForm, _token_auth, client.Session,
        secret_data=_token_data,
        fields=_FIELDS | {"credential": "token"}, setup="accesses/setup/delinea_secret_server_token.html",
    ),
)  # fmt: skip
POLICY = "Role permission: View Secret\nShare of the folder: View"
WRITE_POLICY = "\n".join(
    [
        *(f"Role permission: {one}" for one in (client.ADD, client.EDIT, client.DELETE, client.UNDELETE)),
        "Role permission: Own Secret",
        "Role permission: View Folders",
        "Share of the folder: Owner",
    ]
)
PROVIDER = Provider(
    slug="delinea-secret-server",
    label="Delinea Secret Server",
    sentence="Secrets of one Secret Server, in the cloud or your own.",
    methods=METHODS,
    store_provider=_store,
    connect=client.Client,
    references=REFERENCES,
    policy=POLICY,
    policy_note="The operator reads values with it, the console lists names. Secrets that want an approval, a comment or "
    "a check-out cannot be read by the operator.",
    group=VAULTS,
    typed_address=True,
    writing=Writing(
        policy=WRITE_POLICY,
        versions=False,
        tags=False,
        most_bytes=10_000,
        name=_name,
        note="The value is written into the template's password field, or else its first. Secret Server deactivates "
        "what is deleted and keeps it until somebody erases it there.",
    ),
    refusals=(*client.SIGN_IN, *client.REFUSALS),
    limits="Delinea publishes no limit. The console asks for 500 names at once, the operator once for each external "
    "secret at each reading.",
)
