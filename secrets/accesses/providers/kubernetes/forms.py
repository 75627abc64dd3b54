"""The forms of reading another cluster's Secrets, or another namespace's."""

import base64
import re
from typing import Any

import yaml
from django import forms
from django.views.decorators.debug import sensitive_variables

from accesses.providers.addresses import AddressField, AuthorityField
from accesses.providers.base import ConfigurationForm, SecretField
from accesses.providers.configuring import AS_TYPED
from clusters import kubeconfig
from credentials.fields import SealedTextarea

# What names of namespaces are, and of Secrets.
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def encoded(text: str) -> str:
    return base64.b64encode(f"{text.strip()}\n".encode()).decode()


@sensitive_variables()
def kubeconfig_of(address: str, ca: str, user: dict[str, str]) -> str:
    """Return a kubeconfig of one cluster and one user.

    :raises KubeconfigRefused: the address may not be called, or there is nobody who signs in
    """
    cluster = {"server": address, "certificate-authority-data": encoded(ca)}
    found = {
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "cluster", "user": "user"}}],
    }
    return kubeconfig.reduce(yaml.safe_dump(found))


class NamespaceForm(ConfigurationForm):
    """Which namespace's Secrets are read; one access reads one namespace."""

    WHERE = ("name", "address", "namespace", "ca")

    namespace = forms.CharField(
        label="Namespace",
        max_length=63,
        help_text="The namespace there whose Secrets are read. Another namespace is another access.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )

    def clean_namespace(self) -> str:
        namespace: str = self.cleaned_data["namespace"].strip()
        if not LABEL.fullmatch(namespace):
            raise forms.ValidationError(
                f"“{namespace[:80]}” is no namespace: small letters, digits and hyphens."
            )
        return namespace


class ElsewhereForm(NamespaceForm):
    """Another cluster: its address and its authority."""

    address = AddressField(example="https://203.0.113.7:6443", label="API server")
    ca = AuthorityField(
        required=True,
        help_text="In PEM, of the other cluster: certificate-authority-data of its kubeconfig, decoded.",
    )
    field_order = ["namespace", "address", "ca"]

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"]
        if not address.startswith("https://"):
            raise forms.ValidationError("The API server's address begins with https://.")
        return address


class TokenForm(ElsewhereForm):
    """A ServiceAccount of the other cluster, by a token."""

    HEADING = "ServiceAccount"

    token = SecretField(
        label="Token",
        max_length=16_000,
        help_text="Of a ServiceAccount there. It is not renewed: when it ends, nothing is read any more.",
        widget=SealedTextarea(attrs={**AS_TYPED, "rows": 3, "data-secret": "true"}),
    )

    @sensitive_variables()
    def clean_token(self) -> str:
        token = "".join(self.cleaned_data["token"].split())
        if token and not re.fullmatch(r"[\x21-\x7e]+", token):
            raise forms.ValidationError("A token has letters, digits and . _ - alone.")
        return token


class CertificateForm(ElsewhereForm):
    """A user of the other cluster, by a client certificate."""

    HEADING = "User"

    certificate = SecretField(
        label="Client certificate",
        max_length=64_000,
        help_text="In PEM: client-certificate-data of a kubeconfig, decoded.",
        widget=SealedTextarea(attrs={**AS_TYPED, "rows": 4, "data-secret": "true"}),
    )
    key = SecretField(
        label="Private key",
        max_length=64_000,
        help_text="In PEM and without a passphrase: client-key-data of a kubeconfig, decoded.",
        widget=SealedTextarea(attrs={**AS_TYPED, "rows": 4, "data-secret": "true"}),
    )

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        """Say so if the key is not the certificate's."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        typed = [name for name in ("certificate", "key") if cleaned.get(name)]
        if len(typed) == 1 and not self.errors:
            self.add_error(typed[0], "Replace the certificate and its key together.")
        elif typed and not self.errors and (wrong := _wrong_pair(cleaned["certificate"], cleaned["key"])):
            self.add_error(*wrong)
        return cleaned


@sensitive_variables()
def _wrong_pair(certificate: str, key: str) -> tuple[str, str] | None:
    """Return what is wrong with a certificate and its key, as (field, why)."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    except ValueError:
        return "certificate", "This is no certificate in PEM: it begins with -----BEGIN CERTIFICATE-----."
    try:
        private = load_pem_private_key(key.encode(), None)
    except (TypeError, ValueError):
        return "key", "This is no private key in PEM without a passphrase."
    return None if private.public_key() == public else ("key", "This key is not the certificate's.")


class SameClusterForm(NamespaceForm):
    """Another namespace of the same cluster, as the access's own ServiceAccount."""
