"""The forms of the Azure methods."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django import forms

from accesses.providers.base import ConfigurationForm, SecretField, Situation
from accesses.providers.configuring import AS_TYPED
from credentials.chooser import CloudCredentialField
from credentials.clouds import azure
from credentials.clouds.azure.form import GuidField, secret_rule

NAME = re.compile(r"[A-Za-z](?!.*--)[A-Za-z0-9-]{1,22}[A-Za-z0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where the vaults of one of Azure's clouds are, and what the operator calls that cloud."""

    domain: str
    operators: str


CLOUDS: dict[str, Cloud] = {
    "AzureCloud": Cloud("vault.azure.net", "PublicCloud"),
    "AzureUSGovernment": Cloud("vault.usgovcloudapi.net", "USGovernmentCloud"),
    "AzureChinaCloud": Cloud("vault.azure.cn", "ChinaCloud"),
}


def cloud_of(host: str) -> tuple[str, str]:
    """Return the vault and the cloud of a host such as `acme.vault.azure.net`; both empty where it is no vault's."""
    name, _, domain = host.rstrip(".").lower().partition(".")
    return next(((name, slug) for slug, one in CLOUDS.items() if one.domain == domain), ("", ""))


def _of_address(text: str) -> tuple[str, str]:
    """Return the vault and the cloud that an address names.

    :raises ValidationError: it is no vault's
    """
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        name, cloud = cloud_of(parts.hostname or "")
        odd = parts.scheme != "https" or parts.username or parts.port not in (None, 443)
    except ValueError:
        name, cloud, odd = "", "", True
    if odd or not name:
        known = ", ".join(f"https://NAME.{one.domain}" for one in CLOUDS.values())
        raise forms.ValidationError(f"This is not the address of a key vault. Those are {known}.")
    return name, cloud


class VaultForm(ConfigurationForm):
    """Which key vault, and in which of Azure's clouds."""

    WHERE = ("name", "vault", "environment")

    vault = forms.CharField(
        label="Key vault",
        max_length=200,
        help_text="Its name, for example acme-prod, or its whole address, https://acme-prod.vault.azure.net.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    environment = forms.ChoiceField(
        label="Cloud",
        choices=[(slug, place.label) for slug, place in azure.PLACES.items()],
        initial=azure.GLOBAL.slug,
        required=False,
        help_text="Azure for US Government and in China are clouds of their own. A whole address names its cloud itself.",
    )

    def clean(self) -> dict[str, Any]:
        """Take a whole address apart: it says the name and the cloud."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        cleaned["environment"] = cleaned.get("environment") or azure.GLOBAL.slug
        vault = cleaned.get("vault", "")
        try:
            if "." in vault or "/" in vault:
                cleaned["vault"], cleaned["environment"] = _of_address(vault)
            elif vault and not NAME.fullmatch(vault):
                raise forms.ValidationError(
                    "The name of a key vault has 3 to 24 letters, digits and hyphens; it begins with a letter, ends "
                    "with a letter or a digit, and has no two hyphens in a row."
                )
            else:
                cleaned["vault"] = vault.lower()
        except forms.ValidationError as error:
            self.add_error("vault", error)
        return cleaned


class _IdField(GuidField):
    """An ID of Azure, which may be left out where it is not required."""

    def clean(self, value: Any) -> str:
        given = str(value or "").strip()
        return super().clean(given) if given or self.required else ""


def _tenant(**more: Any) -> GuidField:
    return _IdField(
        "tenant",
        label="Tenant ID",
        help_text="The Directory (tenant) ID on the overview of the app registration or managed identity.",
        **more,
    )


def _client(**more: Any) -> GuidField:
    return _IdField(
        "client",
        label="Client ID",
        help_text="The Application (client) ID on the overview of the app registration or managed identity.",
        **more,
    )


def _differ(form: forms.Form, cleaned: dict[str, Any]) -> None:
    if cleaned.get("tenant") and cleaned.get("tenant") == cleaned.get("client"):
        form.add_error("client", "This is what stands under Tenant ID. The client ID is another one.")


class PrincipalForm(VaultForm):
    """A service principal: typed here, or one of the organization's cloud credentials."""

    ONLY = dict.fromkeys(("tenant", "client", "client_secret"), "if-typed")
    ONE_OF = ("cloud_credential",)

    cloud_credential = CloudCredentialField("Service principal", "Typed below, for this access alone")
    tenant = _tenant(required=False)
    client = _client(required=False)
    client_secret = SecretField(
        label="Client secret",
        max_length=256,
        validators=[secret_rule],
        help_text="The secret's value, not its ID. It is stored encrypted and never shown again.",
    )

    def __init__(self, data: Any = None, files: Any = None, **more: Any) -> None:
        super().__init__(data, files, **more)
        for name in ("tenant", "client"):
            self.fields[name].required = not (data and data.get("cloud_credential"))

    def prepare(self, situation: Situation) -> None:
        chooser: Any = self.fields["cloud_credential"]
        # Who may not see the organization's credentials keeps the one that is chosen, or none.
        only = None if situation.sees_credentials else str(self.initial.get("cloud_credential") or "")
        chooser.offer(situation.cluster.organization, "azure", only)
        if self.data.get("cloud_credential"):
            self.fields["client_secret"].required = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        chosen = cleaned.get("cloud_credential")
        if chosen is None:
            _differ(self, cleaned)
            return cleaned
        if cleaned.get("client_secret"):
            self.add_error("cloud_credential", "Choose a cloud credential or type a client secret, not both.")
        cleaned["tenant"], cleaned["client"] = chosen.facts.get("tenant", ""), chosen.facts.get("client", "")
        if chosen.facts.get("environment", azure.GLOBAL.slug) != cleaned["environment"]:
            self.add_error(
                "cloud_credential", "This credential is of another of Azure's clouds than the vault."
            )
        return cleaned

    def credential(self, kept: dict[str, str] | None) -> dict[str, str]:
        # The secret of another application is of no use to this one.
        other = self.initial.get("client") and self.initial["client"] != self.cleaned_data["client"]
        return super().credential(None if other and self.cleaned_data.get("client_secret") else kept)


class WorkloadIdentityForm(VaultForm):
    """An app registration or managed identity that trusts the cluster's tokens."""

    tenant = _tenant()
    client = _client()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        _differ(self, cleaned)
        return cleaned


class ManagedIdentityForm(VaultForm):
    """Whatever identity the operator's own pods have from their nodes."""

    identity = _IdField(
        "client",
        label="Client ID of the managed identity",
        required=False,
        help_text="Only where the nodes have more than one; empty is the one that they have.",
    )
