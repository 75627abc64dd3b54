"""The forms of Doppler's methods."""

import re
from typing import Any

from django import forms

from accesses.providers.base import ConfigurationForm, SecretField
from accesses.providers.configuring import AS_TYPED

_SLUG = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_IDENTITY = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)

# What a token begins with → what Doppler calls it.
KINDS = {
    "dp.st.": "a service token",
    "dp.pt.": "a personal token",
    "dp.sa.": "a service account's token",
    "dp.said.": "a token of a service account identity",
    "dp.ct.": "a token of the command line",
    "dp.scim.": "a SCIM token",
    "dp.audit.": "an audit token",
}
_TOKEN = re.compile(r"dp\.[a-z]+\.([a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}", re.ASCII)


def clean_token(token: str, *taken: str) -> str:
    """Return a token that begins with one of `taken`, or say what it is instead."""
    found = next((start for start in KINDS if token.startswith(start)), "")
    if found not in taken:
        wanted = " or ".join(taken)
        raise forms.ValidationError(
            f"This is {KINDS[found]}; this way of signing in takes one that begins with {wanted}."
            if found
            else f"This is no token of Doppler. It begins with {wanted}."
        )
    if not _TOKEN.fullmatch(token):
        raise forms.ValidationError(
            f"This token is not whole: after {found} come 40 to 44 letters and digits. Copy it again."
        )
    return token


class PlaceForm(ConfigurationForm):
    """Where the secrets live: a config of a project."""

    project = forms.CharField(
        label="Project",
        max_length=64,
        help_text="The project's identifier as its address has it, for example shop.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    config = forms.CharField(
        label="Config",
        max_length=64,
        help_text="For example prd, or prd_eu for a branch of it.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    WHERE = ("name", "project", "config")

    def clean_project(self) -> str:
        return self._slug("project", "a project")

    def clean_config(self) -> str:
        return self._slug("config", "a config")

    def _slug(self, name: str, noun: str) -> str:
        text: str = self.cleaned_data[name].strip()
        if text and not _SLUG.fullmatch(text):
            raise forms.ValidationError(
                f"{text} is no identifier of {noun}: those have letters, digits, hyphens, dots and underscores."
            )
        return text


class ServiceTokenForm(PlaceForm):
    """A token of one config, which it fixes."""

    project = forms.CharField(
        label="Project",
        max_length=64,
        required=False,
        help_text="The token is of one config of one project. Enter both to have it compared, or neither.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    config = forms.CharField(
        label="Config",
        max_length=64,
        required=False,
        help_text="For example prd, or prd_eu for a branch of it.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    token = SecretField(
        label="Service token", max_length=200, help_text="It begins with dp.st. and is shown once."
    )

    def clean_token(self) -> str:
        token: str = self.cleaned_data["token"].strip()
        return clean_token(token, "dp.st.") if token else ""

    def clean(self) -> dict[str, Any]:
        """Want the project and the config together."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        project, config = cleaned.get("project"), cleaned.get("config")
        if bool(project) != bool(config) and not self.errors:
            missing = "config" if project else "project"
            self.add_error(missing, f"Enter the {missing} too, or neither of the two.")
        return cleaned


class AccountForm(PlaceForm):
    """A token of a person or of a service account, which may reach more than one config."""

    token = SecretField(
        label="Token",
        max_length=200,
        help_text="It begins with dp.sa. for a service account, or dp.pt. for a person.",
    )

    def clean_token(self) -> str:
        token: str = self.cleaned_data["token"].strip()
        return clean_token(token, "dp.sa.", "dp.pt.") if token else ""


class IdentityForm(PlaceForm):
    """A service account identity that trusts the cluster's tokens."""

    identity = forms.CharField(
        label="Service account identity",
        max_length=64,
        help_text="The ID that Doppler shows beside the identity, not its name.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )

    def clean_identity(self) -> str:
        identity: str = self.cleaned_data["identity"].strip()
        if not _IDENTITY.fullmatch(identity):
            raise forms.ValidationError(
                "This is no ID of an identity: those have letters, digits and hyphens."
            )
        return identity
