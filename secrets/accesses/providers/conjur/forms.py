"""The forms of Conjur's methods."""

import re
from typing import Any

from django import forms

from accesses.providers.addresses import AddressField, AuthorityField
from accesses.providers.base import ConfigurationForm, SecretField
from accesses.providers.configuring import AS_TYPED
from accesses.providers.conjur import session as conjur_session
from credentials.clouds import errors

_WORD = re.compile(r"[A-Za-z0-9._-]{1,120}")
# An identifier in a policy: what is below what is told by slashes.
ID = re.compile(r"[A-Za-z0-9._@+-]+(/[A-Za-z0-9._@+-]+)*")


def _text(label: str, help_text: str = "", **options: Any) -> forms.CharField:
    options = {"max_length": 250} | options
    return forms.CharField(
        label=label, help_text=help_text, widget=forms.TextInput(attrs=AS_TYPED), **options
    )


def _id(text: str, what: str) -> str:
    """Return an identifier without the slash that may stand around it, or say why it is none."""
    found = text.strip().strip("/")
    if found and not ID.fullmatch(found):
        raise forms.ValidationError(
            f"“{found[:80]}” is no {what}: it has letters, digits and . _ @ + - between its slashes."
        )
    return found


class PlaceForm(ConfigurationForm):
    """Where Conjur is, and in which of its accounts; and below which policy the console may write."""

    WHERE = ("name", "address", "account", "branch", "ca")

    address = AddressField(example="https://conjur.example.com", help_text="Of Conjur, or of CyberArk's "
                           "Secrets Manager: for example https://conjur.example.com, or "
                           "https://acme.secretsmgr.cyberark.cloud/api")  # fmt: skip
    account = _text("Account", "The organization account, for example acme; conjur in CyberArk's cloud.")
    ca = AuthorityField()
    branch = _text(
        "Policy branch",
        "The policy below which the console makes and deletes variables, for example keyhaven. "
        "Empty: it writes nothing.",
        required=False,
    )

    def clean_account(self) -> str:
        account: str = self.cleaned_data["account"].strip()
        if not _WORD.fullmatch(account):
            raise forms.ValidationError(f"{account[:80]} is no account: it is one word, such as acme.")
        return account

    def clean_branch(self) -> str:
        branch = _id(self.cleaned_data["branch"], "policy")
        if branch == "root":
            raise forms.ValidationError(
                "The console writes below a policy of its own, never in root, which holds everything."
            )
        return branch


class ApiKeyForm(PlaceForm):
    """A user or a host, by its API key; or by a user's password, with which the key is asked for once."""

    HEADING = "User or host"
    FOLDED = {"Enter a user's password instead": ("password",)}
    ONE_OF = ("api_key", "password")

    login = _text("User or host", "A host begins with host/, for example host/apps/keyhaven.")
    api_key = SecretField(label="API key", required=False, max_length=200)
    password = SecretField(
        label="Password",
        required=False,
        max_length=200,
        help_text="Of a user. Conjur gives that user's API key for it, once; the password is not stored.",
    )

    def clean_login(self) -> str:
        return _id(self.cleaned_data["login"], "user or host")

    def clean(self) -> dict[str, Any]:
        """Ask for the key if a password was given for it, and forget the password."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        password = cleaned.pop("password", "")
        cleaned["password"] = ""
        if password and cleaned.get("api_key"):
            self.add_error("password", "Enter the API key or the password, not both.")
        elif password and not self.errors:
            self._ask_for_key(cleaned, password)
        elif not (password or cleaned.get("api_key") or "api_key" in self.stored or "api_key" in self.errors):
            self.add_error("api_key", "Enter the API key, or the password of a user.")
        return cleaned

    def _ask_for_key(self, cleaned: dict[str, Any], password: str) -> None:
        if cleaned["login"].startswith("host/"):
            self.add_error("password", "A host has no password. Enter its API key.")
            return
        where = conjur_session.Place(cleaned["address"], cleaned["account"], cleaned["ca"])
        try:
            cleaned["api_key"] = conjur_session.key_of(where, cleaned["login"], password)
        except errors.ProviderError as error:
            self.add_error("password", f"{error.reason} {error.remedy}")


class JwtForm(PlaceForm):
    """An authenticator that trusts this cluster's tokens."""

    HEADING = "Authenticator"

    service = _text("Service ID", "The last part of conjur/authn-jwt/SERVICE, for example keyhaven.")
    host = _text(
        "Host",
        "For example host/jwt-apps/keyhaven. Empty where the authenticator takes it from the token.",
        required=False,
    )
    audience = _text(
        "Audience", "What the authenticator expects in the token.", initial="conjur", max_length=200
    )

    def clean_service(self) -> str:
        service: str = self.cleaned_data["service"].strip().removeprefix("conjur/").removeprefix("authn-jwt/")
        if not _WORD.fullmatch(service):
            raise forms.ValidationError(
                f"“{service[:80]}” is no service ID: it is one word, such as keyhaven."
            )
        return service

    def clean_host(self) -> str:
        host = _id(self.cleaned_data["host"], "host")
        if host and not host.startswith("host/"):
            raise forms.ValidationError(f"A host begins with host/: host/{host}.")
        return host

    def clean_audience(self) -> str:
        audience: str = self.cleaned_data["audience"].strip()
        if not re.fullmatch(r"[\w.:/@+-]{1,200}", audience, re.ASCII):
            raise forms.ValidationError("An audience is one word or address, such as conjur.")
        return audience
