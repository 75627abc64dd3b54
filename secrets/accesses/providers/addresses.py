"""Form fields of secret managers that have an address: the address, and the authority that signed its certificate."""

import base64
import ssl
from typing import Any
from urllib.parse import urlsplit

from django import forms

from config import egress

_LONGEST = 500


class AddressField(forms.CharField):
    """An address, `https://host[:port][/path]`, kept without a slash at its end."""

    def __init__(self, *, example: str, label: str = "Address", **options: Any) -> None:
        options.setdefault("max_length", _LONGEST)
        options.setdefault("help_text", f"For example {example}")
        options.setdefault(
            "widget",
            forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "inputmode": "url"}),
        )
        super().__init__(label=label, **options)
        self.example = example

    def clean(self, value: Any) -> str:
        """Return the address.

        :raises ValidationError: it is none, or leads to where nothing may be called
        """
        text: str = super().clean(value).strip().rstrip("/")
        if text:
            self._check(text)
        return text

    def _check(self, text: str) -> None:
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        # Braces are templates to the operator, and a backslash is read as a slash by some.
        odd = not text.isprintable() or any(sign in text for sign in " \\{}")
        if not host or parts.scheme not in ("https", "http") or odd:
            raise forms.ValidationError(f"Enter an address such as {self.example}.")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise forms.ValidationError("Enter the address alone, without a user, a question mark or a #.")
        try:
            egress.check(text)
        except egress.Forbidden as error:
            raise forms.ValidationError(str(error)) from None


class AuthorityField(forms.CharField):
    """The certificate of a private authority, in PEM; empty where a public one signed."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("label", "CA certificate")
        options.setdefault("required", False)
        options.setdefault("max_length", 64_000)
        options.setdefault(
            "help_text",
            "In PEM, where the certificate is signed by an authority of your own. Then only that one counts.",
        )
        options.setdefault("widget", forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}))
        super().__init__(**options)

    def clean(self, value: Any) -> str:
        """Return the certificates.

        :raises ValidationError: they are none, or a private key is among them
        """
        text: str = super().clean(value).strip().replace("\r\n", "\n")
        if "PRIVATE KEY" in text:
            raise forms.ValidationError("This holds a private key. Enter the authority's certificate alone.")
        if text:
            try:
                ssl.create_default_context(cadata=text)
            except (ssl.SSLError, ValueError):
                raise forms.ValidationError(
                    "This is no certificate in PEM: it begins with -----BEGIN CERTIFICATE-----."
                ) from None
        return text


def bundle(authority: str) -> str:
    """Return an authority's certificate as a store's `caBundle` holds it."""
    return base64.b64encode(f"{authority}\n".encode()).decode()
