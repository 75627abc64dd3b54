"""The fields of Azure's credentials: IDs, each told what is wrong with it, and a client secret."""

import re
from typing import Any

from django import forms

from credentials.clouds.azure import GLOBAL, GUID, PLACES
from credentials.fields import SecretField, SecretForm

_EXAMPLE = "00000000-0000-0000-0000-000000000000"
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)


class GuidField(forms.CharField):
    """An ID of Azure; `noun` says of what. Never quoted: what is pasted by mistake may be a secret."""

    def __init__(self, noun: str, **options: Any) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
        super().__init__(widget=widget, **options)
        self.noun = noun

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        if wrong := self._wrong(text):
            raise forms.ValidationError(wrong, code="invalid")
        return text.lower()

    def _wrong(self, text: str) -> str:
        """Return what is wrong with the ID, or nothing."""
        if GUID.fullmatch(text):
            return ""
        if _DOMAIN.fullmatch(text):
            return f"This is a domain. The {self.noun} ID is 36 characters long, like {_EXAMPLE}."
        if not re.fullmatch(r"[0-9a-fA-F-]+", text):
            return f"A {self.noun} ID has digits, the letters a to f and hyphens only, like {_EXAMPLE}."
        if len(text) != len(_EXAMPLE):
            return (
                f"This {self.noun} ID has {len(text)} characters; it needs {len(_EXAMPLE)}, like {_EXAMPLE}."
            )
        return f"The hyphens of a {self.noun} ID stand as in {_EXAMPLE}."


def secret_rule(value: str) -> None:
    """Refuse what cannot be a client secret, without quoting it."""
    if GUID.fullmatch(value):
        raise forms.ValidationError(
            "This is the secret's ID. Enter its value, which Azure shows once, beside the ID."
        )
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        raise forms.ValidationError("There are spaces or other characters in it that no client secret has.")
    if len(value) < 16:
        raise forms.ValidationError(f"A client secret has about 40 characters; this has {len(value)}.")


class _Form(SecretForm):
    tenant = GuidField(
        "tenant",
        label="Tenant ID",
        help_text="The Directory (tenant) ID on the app registration's overview.",
    )
    client = GuidField(
        "client",
        label="Client ID",
        help_text="The Application (client) ID on the app registration's overview.",
    )
    subscription = GuidField(
        "subscription",
        label="Subscription ID",
        help_text="The subscription in which this credential is used.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        seen: dict[str, str] = {}
        for name in ("tenant", "client", "subscription"):
            value = cleaned.get(name, "")
            if value and value in seen:
                first = self.fields[seen[value]].label
                self.add_error(name, f"This is what stands under {first}. Each of the three is another ID.")
            seen[value] = name
        return cleaned


def _environment() -> forms.ChoiceField:
    return forms.ChoiceField(
        label="Cloud",
        choices=[(slug, place.label) for slug, place in PLACES.items()],
        initial=GLOBAL.slug,
        help_text="Azure for US Government and in China are clouds of their own.",
    )


class FederationForm(_Form):
    """An app registration that trusts this console's tokens."""

    environment = _environment()


class SecretsForm(_Form):
    """An app registration with a client secret."""

    client_secret = SecretField(
        label="Client secret",
        max_length=256,
        validators=[secret_rule],
        help_text="The secret's value, not its ID. It is stored encrypted and never shown again.",
    )
    environment = _environment()
