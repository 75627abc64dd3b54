"""The forms of Vault's methods."""

import re
from typing import Any

from django import forms

from accesses.providers.addresses import AddressField, AuthorityField
from accesses.providers.base import ConfigurationForm, SecretField
from accesses.providers.configuring import AS_TYPED

_PART = re.compile(r"[\w.@+-]+(/[\w.@+-]+)*", re.ASCII)
_HEADER = re.compile(r"[\x21-\x7e]+")
VERSIONS = (("2", "2: with versions"), ("1", "1: one value, no history"))


def _path(typed: str, what: str) -> str:
    """Return a path in Vault without slashes at its ends.

    :raises ValidationError: it is none
    """
    path = typed.strip().strip("/")
    if path and (not _PART.fullmatch(path) or ".." in path.split("/")):
        raise forms.ValidationError(
            f"{what} is a path of letters, digits, hyphens and dots, such as team-a or team-a/kv."
        )
    return path


class PlaceForm(ConfigurationForm):
    """Where the secrets are: an address, a namespace, and a KV secrets engine in it."""

    WHERE = ("name", "address", "namespace", "mount", "version", "ca")
    FOLDED = {"Namespace and CA certificate": ("namespace", "ca")}

    address = AddressField(
        example="https://vault.example.com:8200",
        help_text="For example https://vault.example.com:8200. One that only the cluster reaches, such as http://vault.vault:8200, cannot be tested here.",
    )
    namespace = forms.CharField(
        label="Namespace",
        max_length=200,
        required=False,
        help_text="Of Vault Enterprise, HCP Vault or OpenBao, such as team-a; admin at HCP. Empty is the root one. "
        "Both the auth method and the secrets are in it.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    mount = forms.CharField(
        label="Root engine",
        max_length=200,
        initial="secret",
        help_text="The path at which the KV secrets engine is mounted, such as secret or team-a/kv.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    version = forms.ChoiceField(
        label="Engine version",
        choices=VERSIONS,
        initial="2",
        help_text="vault secrets list -detailed tells it under options.",
    )
    ca = AuthorityField()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("version") == "1" and cleaned.get("only_tagged"):
            self.add_error("only_tagged", "Version 1 of the engine has no tags: nothing would be seen.")
        return cleaned

    def clean_namespace(self) -> str:
        return _path(self.cleaned_data["namespace"], "A namespace")

    def clean_mount(self) -> str:
        mount = _path(self.cleaned_data["mount"], "The root engine")
        if not mount:
            raise forms.ValidationError("Enter the path of the secrets engine, such as secret.")
        return mount


class TokenForm(PlaceForm):
    """A token, as somebody made it."""

    token = SecretField(
        label="Token",
        max_length=4096,
        help_text="Nobody renews it, neither the console nor the operator: when it ends, syncing ends. The test says when. "
        "A periodic or orphan token without an end of its own, or another way to sign in, lasts longer.",
    )
    expires_at = forms.DateTimeField(
        label="Token ends at (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help_text="Filled in by the test where Vault tells it. The access's page counts down to it, and you are told before.",
        error_messages={"invalid": "Give a date and a time, for example 2026-11-21T22:00."},
    )

    def clean_token(self) -> str:
        return _one_word(self.cleaned_data["token"], "A token")


def _one_word(text: str, what: str) -> str:
    text = text.strip()
    if text and not _HEADER.fullmatch(text):
        raise forms.ValidationError(f"{what} is one word of letters, digits and signs, without spaces.")
    return text


class LoginForm(PlaceForm):
    """What signs in at an auth method with a path of its own."""

    AUTH_PATH = ""

    auth_path = forms.CharField(
        label="Path of the auth method",
        max_length=200,
        required=False,
        help_text="Where it is enabled, without auth/ before it.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["auth_path"].help_text += f" Empty is {self.AUTH_PATH}."

    def clean_auth_path(self) -> str:
        path = _path(self.cleaned_data["auth_path"], "The path of an auth method")
        return path.removeprefix("auth/") or self.AUTH_PATH


class UserpassForm(LoginForm):
    """A user with a password."""

    AUTH_PATH = "userpass"

    username = forms.CharField(
        label="User name",
        max_length=200,
        help_text="It stands readable in the store, as everybody sees who may read stores. The password does not.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    password = SecretField(label="Password", max_length=1024, strip=False)

    def clean_username(self) -> str:
        # Vault keeps user names in small letters.
        name: str = self.cleaned_data["username"].strip().lower()
        if not _PART.fullmatch(name) or "/" in name:
            raise forms.ValidationError("A user name has letters, digits, hyphens, dots and underscores.")
        return name


class AppRoleForm(LoginForm):
    """A role for machines, with an ID and a secret."""

    AUTH_PATH = "approle"

    role_id = SecretField(
        label="Role ID",
        max_length=200,
        help_text="vault read auth/approle/role/ROLE/role-id shows it.",
    )
    secret_id = SecretField(
        label="Secret ID",
        max_length=200,
        help_text="vault write -f auth/approle/role/ROLE/secret-id makes one. One with a number of uses is used up soon: "
        "the operator signs in each time that it reads.",
    )

    def clean_role_id(self) -> str:
        return _one_word(self.cleaned_data["role_id"], "A role ID")

    def clean_secret_id(self) -> str:
        return _one_word(self.cleaned_data["secret_id"], "A secret ID")


class KubernetesForm(LoginForm):
    """A role that trusts the access's own ServiceAccount."""

    AUTH_PATH = "kubernetes"

    role = forms.CharField(
        label="Role",
        max_length=200,
        help_text="Of the Kubernetes auth method, which names the ServiceAccount that is shown above.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    audience = forms.CharField(
        label="Audience",
        max_length=300,
        required=False,
        help_text="For whom the cluster's tokens are made out: the role's audience, which Vault 1.21 and later ask for. "
        "Empty is vault.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )

    def clean_role(self) -> str:
        role = self.cleaned_data["role"].strip()
        if not _PART.fullmatch(role) or "/" in role:
            raise forms.ValidationError(
                "The name of a role has letters, digits, hyphens, dots and underscores."
            )
        return str(role)

    def clean_audience(self) -> str:
        audience = self.cleaned_data["audience"].strip() or "vault"
        if not re.fullmatch(r"[\w.:/@+-]+", audience, re.ASCII):
            raise forms.ValidationError("An audience is one word or address, such as vault.")
        return str(audience)
