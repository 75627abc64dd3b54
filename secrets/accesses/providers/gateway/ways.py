"""What providers share that the operator reads through the console's gateway: the form's part, and the store."""

import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from accesses.providers import selecting, writing
from accesses.providers.addresses import AddressField, AuthorityField, bundle
from accesses.providers.base import Entry, Probe
from accesses.providers.configuring import ConfigurationForm
from accesses.providers.gateway import tokens as gateway_tokens
from accesses.providers.references import NotReadable
from built_in import names
from config import egress
from credentials.clouds import errors
from credentials.fields import Row, SecretField

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

# Without it the operator refuses to use the Secret.
LABELS = {"external-secrets.io/type": "webhook"}
FOLD = "Where the cluster finds this console"


class TokenBox(forms.CheckboxInput):
    """A box to tick; nothing of a token is ever in it."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return data.get(name, "")

    def format_value(self, value: Any) -> None:
        return None


class TokenField(SecretField):
    """The access's token at the gateway: ticked there is a new one, else the one that is there stays."""

    widget = TokenBox  # type: ignore[assignment]

    def clean(self, value: Any) -> str:
        """Return a token, or nothing.

        :raises ValidationError: it is none that a console made
        """
        text = str(value or "").strip()
        if text.lower() in ("", "false"):
            return ""
        if text.lower() in ("on", "true"):
            return gateway_tokens.new()
        if not gateway_tokens.is_token(text):
            raise forms.ValidationError("Only a console makes these tokens.")
        return text


class GatewayForm(ConfigurationForm):
    """The last fields of each form of such a provider; a token is made with the access and never shown."""

    gateway_address = AddressField(
        label="Address of this console",
        required=False,
        example="https://keyhaven.example",
        help_text="As the cluster reaches it; empty is the one that it is served at.",
    )
    gateway_ca = AuthorityField(
        label="CA certificate of this console",
        help_text="In PEM, where an authority of your own signed its certificate.",
    )
    token = TokenField(
        label="Make a new token for the cluster",
        required=False,
        help_text="The one that is there ends at once; the cluster has the new one with its next deploy.",
    )

    FOLDED = {FOLD: ("gateway_address", "gateway_ca")}
    # The cluster sends it, to the console.
    STAYS = ("token",)

    @classmethod
    def addresses(cls) -> list[str]:
        """Return the fields that say to whom the credential is sent: the console's own is none."""
        return [name for name in super().addresses() if name != "gateway_address"]

    def clean_gateway_address(self) -> str:
        address: str = self.cleaned_data["gateway_address"]
        if not is_safe(address or settings.BASE_URL):
            raise forms.ValidationError(
                f"{address or settings.BASE_URL} is not encrypted: values and tokens would be seen on the way. "
                "Enter an address that begins with https."
            )
        return address

    @sensitive_variables()
    def credential(self, kept: dict[str, str] | None) -> dict[str, str]:
        """Return what was typed over what is stored, with a token: the stored one, or a new one."""
        found = super().credential(kept)
        return found if found.get("token") else found | {"token": gateway_tokens.new()}

    def _rows(self, names: list[str]) -> list[Row]:
        """Leave the box out where there is no token yet: the first one is made anyway."""
        return super()._rows([name for name in names if name != "token" or name in self.stored])


def is_safe(address: str) -> bool:
    """Tell whether values may travel there: encrypted, or within one machine."""
    parts = urllib.parse.urlsplit(address)
    return parts.scheme == "https" or egress.is_loopback(parts.hostname or "")


def address(access: "Access | AccessDraft") -> str:
    """Return where the cluster reaches the console."""
    return access.configuration.get("gateway_address") or settings.BASE_URL


def reference(access: "Access", namespace: str) -> dict[str, str]:
    """Return the selector of the token in the access's Secret."""
    return selecting.key_of_secret(access, namespace, "token")


def secret_data(access: "Access") -> dict[str, str]:
    """Return what the cluster gets of the credential: the token alone."""
    return {"token": (access.credential or {}).get("token", "")}


def store(access: "Access", auth: dict[str, Any] | None) -> dict[str, Any]:
    """Return `spec.provider`: a webhook that asks the gateway.

    The operator escapes what it fills into an address for a query, so names stand there and not in the path.
    """
    asked = "name={{ .remoteRef.key }}&version={{ .remoteRef.version }}&property={{ .remoteRef.property }}"
    spec: dict[str, Any] = {
        "url": f"{address(access)}/gateway/{access.pk}/secret?{asked}",
        "method": "GET",
        "headers": {"Authorization": "Bearer {{ .gateway.token }}", "Accept": "application/json"},
        "result": {"jsonPath": "$.value"},
        "secrets": [{"name": "gateway", "secretRef": auth}],
        "timeout": "20s",
    }
    if authority := access.configuration.get("gateway_ca"):
        spec["caBundle"] = bundle(authority)
    return {"webhook": spec}


@sensitive_variables()
def check_token(access: "Access | AccessDraft") -> None:
    """Refuse an access that the gateway would not let in.

    :raises CredentialRefused: it has no token, or none that a console made
    """
    if not gateway_tokens.is_token((access.credential or {}).get("token", "")):
        raise errors.CredentialRefused(
            "The access has no token for the gateway.", "Edit the access and make a new one, then deploy."
        )


def probe(access: "Access | AccessDraft", entries: list[Entry]) -> list[Probe]:
    """Return whether the cluster can reach the console, as far as an address tells."""
    host = urllib.parse.urlsplit(address(access)).hostname or ""
    if egress.is_loopback(host):
        text = f"{address(access)} is this machine alone: clusters elsewhere do not reach it. Set BASE_URL."
    else:
        text = f"The cluster asks {address(access)}. Whether it gets there, a deploy tells."
    return [Probe("Reach the gateway", None, text)]


def check_name(access: "Access", name: str) -> str:
    """Return a name as both stores take it.

    :raises NotReadable: it is none
    """
    if not names.NAME.fullmatch(name):
        raise NotReadable(names.RULE)
    return name


def check_tags(tags: Mapping[str, str]) -> None:
    """Check that both stores take these tags.

    :raises NotReadable: with the reason
    """
    if len(tags) > names.MOST_TAGS:
        raise NotReadable(f"These are {len(tags)} tags; a secret has at most {names.MOST_TAGS}.")


def writes(policy: str, note: str) -> writing.Writing:
    """Return how a store of ours is written to."""
    return writing.Writing(
        policy=policy, most_bytes=names.MOST_BYTES, name=check_name, check_tags=check_tags, note=note
    )
