"""The forms of an HTTP source."""

import re
from typing import Any

from django import forms

from accesses.providers.addresses import AuthorityField
from accesses.providers.base import ConfigurationForm, SecretField
from accesses.providers.configuring import AS_TYPED
from accesses.providers.http import templates as http_templates
from accesses.providers.http.paths import NotAPath, steps
from config import egress

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
# What a client makes itself, or what would change how the request is read.
_NO_HEADERS = {
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "cookie",
    "te",
    "upgrade",
    "accept",
}
KEY = re.compile(r"[A-Za-z0-9._~/@:+=-]{1,300}")


def _text(label: str, help_text: str = "", **options: Any) -> forms.CharField:
    options = {"max_length": 500} | options
    return forms.CharField(
        label=label, help_text=help_text, widget=forms.TextInput(attrs=AS_TYPED), **options
    )


class OpenForm(ConfigurationForm):
    """An address that answers without a credential."""

    WHERE = ("name", "url", "verb", "path", "test_key", "timeout", "body", "ca")
    HEADING = "Credential"

    @classmethod
    def addresses(cls) -> list[str]:
        """Return the field that says to whom the credential is sent."""
        return ["url"]

    FOLDED = {"Body and certificate": ("body", "ca")}

    url = _text(
        "Address",
        "With {key} where the secret's name goes, for example https://secrets.example.com/v1/{key}. Also {property} and "
        "{version}, where a link names one.",
    )
    verb = forms.ChoiceField(label="Method", choices=[("GET", "GET"), ("POST", "POST")], initial="GET")
    body = forms.CharField(
        label="Body",
        required=False,
        max_length=4000,
        help_text='Of a POST, for example {"name": "{key}"}.',
        widget=forms.Textarea(attrs={**AS_TYPED, "rows": 3}),
    )
    path = _text(
        "Path of the value",
        "Where the value is in the JSON that comes back, for example $.data.value. Empty: the answer is the value.",
        required=False,
        max_length=300,
    )
    ca = AuthorityField()
    timeout = forms.IntegerField(
        label="Seconds to wait",
        min_value=1,
        max_value=60,
        initial=10,
        help_text="By the operator, for an answer.",
    )
    test_key = _text(
        "Name to test with",
        "Of a secret that is there. The test asks for it as the operator does, looks whether a value came, and keeps "
        "nothing of it. Empty: nothing is asked.",
        required=False,
        max_length=300,
    )

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        try:
            http_templates.check_address(url)
            egress.check(http_templates.filled(url, {}, address=True))
        except (http_templates.NotATemplate, egress.Forbidden) as error:
            raise forms.ValidationError(str(error)) from None
        return url

    def clean_path(self) -> str:
        path: str = self.cleaned_data["path"].strip()
        try:
            steps(path)
        except NotAPath as error:
            raise forms.ValidationError(str(error)) from None
        return path

    def clean_test_key(self) -> str:
        name: str = self.cleaned_data["test_key"].strip()
        if name and not KEY.fullmatch(name):
            raise forms.ValidationError("A name has letters, digits and . _ ~ / @ : + = - here.")
        return name

    def clean(self) -> dict[str, Any]:
        """Say so if a name goes nowhere, or a body with a method that sends none."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        url, body = cleaned.get("url", ""), cleaned.get("body", "")
        if body and cleaned.get("verb") == "GET":
            self.add_error("body", "A GET sends no body. Choose POST, or take the body away.")
        if url and "key" not in http_templates.names_in(url + body):
            self.add_error("url", "The name of the secret goes nowhere: write {key} where it stands.")
        return cleaned


class HeaderForm(OpenForm):
    """An address that wants a credential in a header."""

    header = _text("Header", "In which the credential is sent.", initial="Authorization", max_length=100)
    scheme = forms.ChoiceField(
        label="Before the credential",
        choices=[("bearer", "Bearer"), ("token", "Token"), ("basic", "Basic"), ("none", "Nothing")],
        initial="bearer",
    )
    credential_value = SecretField(
        label="Credential",
        max_length=8000,
        help_text="A token or a key. For Basic: user:password, in base64.",
    )

    def clean_header(self) -> str:
        header: str = self.cleaned_data["header"].strip()
        if not _HEADER.fullmatch(header) or header.lower() in _NO_HEADERS:
            raise forms.ValidationError(f"{header[:80]} is no header that carries a credential.")
        return header

    def clean_credential_value(self) -> str:
        value: str = self.cleaned_data["credential_value"].strip()
        if value and not re.fullmatch(r"[\x20-\x7e]+", value):
            raise forms.ValidationError("A header has letters, digits and signs of ASCII alone, on one line.")
        return value
