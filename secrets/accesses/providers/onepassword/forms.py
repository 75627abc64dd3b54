"""The forms of 1Password's methods."""

import base64
import json
import re

from django import forms
from django.views.decorators.debug import sensitive_variables

from accesses.providers.addresses import AddressField
from accesses.providers.base import ConfigurationForm, SecretField
from accesses.providers.configuring import AS_TYPED
from credentials.fields import SealedTextarea

ID = re.compile(r"[a-z0-9]{26}", re.ASCII)
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_TTL = re.compile(r"[1-9]\d{0,4}[smh]", re.ASCII)
_SEALED = {"rows": 3, "autocomplete": "off", "spellcheck": "false", "data-secret": "true"}
ON, OFF = "on", "off"


@sensitive_variables()
def is_service_account(token: str) -> bool:
    """Tell whether a text has the shape of a service account's token: `ops_` and JSON that says where and who."""
    head, mark, body = token.partition("_")
    if (head, mark) != ("ops", "_"):
        return False
    try:
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and all(
        isinstance(found.get(name), str) and found[name] for name in ("signInAddress", "email")
    )


class VaultForm(ConfigurationForm):
    """Where the secrets live: a vault."""

    vault = forms.CharField(
        label="Vault",
        max_length=120,
        help_text="Its ID of 26 letters and digits, which stays when the vault is renamed, or its name.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    WHERE = ("name", "address", "vault")

    def clean_vault(self) -> str:
        vault: str = self.cleaned_data["vault"].strip()
        if not vault.isprintable() or re.search(r'["\\/]', vault):
            raise forms.ValidationError(
                'The operator cannot ask for a vault whose name has ", / or \\. Enter its ID instead.'
            )
        return vault


class ConnectForm(VaultForm):
    """A Connect server, and a token that it gave out."""

    address = AddressField(
        label="Address of the Connect server",
        example="https://connect.example.com:8080",
        help_text="As the cluster reaches it, for example https://connect.example.com:8080. "
        "One that this console does not reach cannot be tested here.",
    )
    token = SecretField(
        label="Connect token",
        max_length=6000,
        help_text="Three parts with dots between them; it begins with ey.",
        widget=SealedTextarea(attrs=_SEALED),
    )
    field_order = ("address", "vault", "token")

    def clean_token(self) -> str:
        token: str = self.cleaned_data["token"].strip()
        if token.startswith("ops_"):
            raise forms.ValidationError(
                "This is a service account's token. Sign in by a service account instead."
            )
        if token and not _JWT.fullmatch(token):
            raise forms.ValidationError(
                "This is no Connect token: it has three parts with dots between them. Copy it again."
            )
        return token


class ServiceAccountForm(VaultForm):
    """A service account of 1Password itself."""

    token = SecretField(
        label="Service account token",
        max_length=6000,
        help_text="It begins with ops_ and is shown once.",
        widget=SealedTextarea(attrs=_SEALED),
    )
    cache = forms.ChoiceField(
        label="Keep values in the operator",
        choices=((ON, "For a while"), (OFF, "Ask each time")),
        initial=ON,
        help_text="1Password counts requests by the hour and the day; what is kept in the operator's memory costs none.",
    )
    cache_ttl = forms.CharField(
        label="How long",
        required=False,
        initial="5m",
        max_length=6,
        help_text="For example 60s, 5m or 1h. A new value arrives as much later.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    cache_size = forms.IntegerField(
        label="How many",
        required=False,
        initial=100,
        min_value=1,
        max_value=100_000,
        help_text="At most so many values.",
    )
    FOLDED = {"Cache": ("cache", "cache_ttl", "cache_size")}

    @sensitive_variables()
    def clean_token(self) -> str:
        token: str = self.cleaned_data["token"].strip()
        if _JWT.fullmatch(token):
            raise forms.ValidationError("This is a Connect token. Sign in by a Connect server instead.")
        if token and not is_service_account(token):
            raise forms.ValidationError(
                "This is no whole token of a service account: it begins with ops_ and is long. Copy it again."
            )
        return token

    def clean_cache_ttl(self) -> str:
        ttl: str = self.cleaned_data["cache_ttl"].strip() or "5m"
        if not _TTL.fullmatch(ttl):
            raise forms.ValidationError("Enter a number and s, m or h, for example 60s or 5m.")
        return ttl

    def clean_cache_size(self) -> str:
        return str(self.cleaned_data["cache_size"] or 100)

    def configuration(self) -> dict[str, str]:
        """Return what is not secret; without a cache nothing of it."""
        found = super().configuration()
        return found if found["cache"] == ON else found | {"cache_ttl": "", "cache_size": ""}
