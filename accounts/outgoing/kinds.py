"""One form per kind of destination: the address, and what lets the console in there."""

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core.validators import validate_email

from accounts.outgoing.forms import QUIET, DestinationForm
from accounts.outgoing.models import Destination
from accounts.outgoing.senders import file
from config import egress

# A header that the client itself sets must not be set twice.
_OURS = r"(?!(?:host|content-[a-z-]+|transfer-encoding|connection|user-agent)\s*:)"
_HEADER = re.compile(rf"^{_OURS}[A-Za-z0-9-]+: ?[!-~][ -~]*\Z", re.IGNORECASE)
_HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\Z")
MOST_ADDRESSES = 20


def url(value: str) -> str:
    """Return a URL that may be called.

    :raises forms.ValidationError: it is none, or leads to where nothing may be called
    """
    try:
        parts = urlsplit(value)
        well = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        well = False
    if not well or not value.isprintable() or " " in value:
        raise forms.ValidationError("Enter a whole address, such as https://hooks.example.com/keyhaven.")
    if "@" in parts.netloc:
        raise forms.ValidationError("Leave the user and password out: the signature says who sends it.")
    try:
        egress.check(value)
    except egress.Forbidden as error:
        raise forms.ValidationError(str(error)) from error
    return value


class WebhookForm(DestinationForm):
    url = forms.CharField(
        label="URL",
        max_length=2000,
        widget=forms.PasswordInput(attrs=QUIET | {"inputmode": "url"}),
        error_messages={"required": "Enter the address that takes the events."},
        help_text="It gets signed JSON by POST. Only its host is shown afterwards.",
    )
    # What is stored is not shown again.
    STORED: tuple[str, ...] = ("url",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["url"].required = self.destination is None
        if self.destination is None:
            # While it is typed for the first time it may be seen.
            self.fields["url"].widget = forms.URLInput(attrs=QUIET)

    def clean_url(self) -> str:
        typed: str = self.cleaned_data["url"]
        return url(typed) if typed else ""


class OtlpForm(WebhookForm):
    PREFERS_THE_LOG = True
    STORED = ("url", "header")

    header = forms.CharField(
        label="Header",
        required=False,
        max_length=2000,
        widget=forms.PasswordInput(attrs=QUIET),
        help_text="What lets the console in, such as “Authorization: Bearer …”. Never shown again.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["url"].help_text = "Of the collector's OTLP/HTTP receiver; /v1/logs is added."

    def clean_header(self) -> str:
        typed: str = self.cleaned_data["header"].strip()
        if typed and not _HEADER.match(typed):
            raise forms.ValidationError("Write a header as name: value, such as Authorization: Bearer ….")
        return typed

    def clean(self) -> dict[str, Any]:
        """Ask for the header anew where it would go to another address than the one that it belongs to."""
        cleaned = super().clean()
        stored, typed = self.destination, cleaned.get("url")
        if stored and stored.secret and typed and typed != stored.address and not cleaned.get("header"):
            self.add_error(
                "header", "Enter the header anew; the stored one belongs to the address of before."
            )
        return cleaned

    def secret(self) -> str:
        return str(self.cleaned_data["header"])


class SyslogForm(DestinationForm):
    PREFERS_THE_LOG = True

    transport = forms.ChoiceField(
        label="Transport",
        widget=forms.RadioSelect,
        choices=[("tls", "TLS"), ("tcp", "TCP"), ("udp", "UDP")],
        initial="tls",
        error_messages={"required": "Choose a transport."},
    )
    host = forms.CharField(
        label="Host",
        max_length=253,
        widget=forms.TextInput(attrs=QUIET),
        error_messages={"required": "Enter the host of the syslog receiver."},
    )
    port = forms.IntegerField(
        label="Port",
        min_value=1,
        max_value=65535,
        initial=6514,
        error_messages={"required": "Enter its port.", "invalid": "Enter a port from 1 to 65535."},
        help_text="Usually 6514 with TLS, 514 without.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["transport"].consequences = {  # type: ignore[attr-defined]
            "tls": "Encrypted, and the receiver proves who it is.",
            "tcp": "Readable on the way. For a network that is trusted.",
            "udp": "Readable, and what is lost on the way is lost.",
        }

    def _initial(self, destination: Destination | None) -> dict[str, Any]:
        if destination is None:
            return {}
        parts = urlsplit(destination.address)
        own = {"transport": parts.scheme, "host": parts.hostname, "port": parts.port}
        return super()._initial(destination) | own

    def clean_host(self) -> str:
        host: str = self.cleaned_data["host"].strip().strip("[]")
        try:
            ipaddress.ip_address(host)
        except ValueError:
            if not _HOST.match(host):
                raise forms.ValidationError("Enter a name or an address, without port and scheme.") from None
        try:
            egress.check(f"tcp://{_bracketed(host)}")
        except egress.Forbidden as error:
            raise forms.ValidationError(str(error)) from error
        return host

    def address(self) -> str:
        cleaned = self.cleaned_data
        return f"{cleaned['transport']}://{_bracketed(cleaned['host'])}:{cleaned['port']}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class FileForm(DestinationForm):
    PREFERS_THE_LOG = True

    file = forms.CharField(
        label="File",
        max_length=50,
        initial="audit.jsonl",
        widget=forms.TextInput(attrs=QUIET),
        validators=[file.name_rule],
        error_messages={"required": "Enter the file's name."},
        help_text="Below the organization's folder on the console's worker. One JSON object a line.",
    )

    def _initial(self, destination: Destination | None) -> dict[str, Any]:
        own = {"file": destination.address} if destination else {}
        return super()._initial(destination) | own

    def clean(self) -> dict[str, Any]:
        if not settings.AUDIT_FILES_DIR:
            raise forms.ValidationError("The operator of the console has not allowed files.")
        return super().clean()

    def address(self) -> str:
        return str(self.cleaned_data["file"])


class EmailForm(DestinationForm):
    TAKES_THE_LOG = False

    addresses = forms.CharField(
        label="Addresses",
        max_length=2000,
        widget=forms.Textarea(attrs=QUIET | {"rows": 3}),
        error_messages={"required": "Enter at least one address."},
        help_text="One a line, at most 20. All of them get the same mail and see each other.",
    )

    def _initial(self, destination: Destination | None) -> dict[str, Any]:
        own = {"addresses": destination.address.replace(",", "\n")} if destination else {}
        return super()._initial(destination) | own

    def clean_addresses(self) -> str:
        found = [word.lower() for word in re.split(r"[\s,;]+", self.cleaned_data["addresses"]) if word]
        for address in found:
            try:
                validate_email(address)
            except forms.ValidationError as error:
                raise forms.ValidationError(f"{address[:80]} is no e-mail address.") from error
        if not found or len(found) > MOST_ADDRESSES:
            raise forms.ValidationError(f"Enter from 1 to {MOST_ADDRESSES} addresses.")
        return ",".join(dict.fromkeys(found))

    def address(self) -> str:
        return str(self.cleaned_data["addresses"])


FORMS: dict[str, type[DestinationForm]] = {
    Destination.Kind.WEBHOOK: WebhookForm,
    Destination.Kind.EMAIL: EmailForm,
    Destination.Kind.SYSLOG: SyslogForm,
    Destination.Kind.OTLP: OtlpForm,
    Destination.Kind.FILE: FileForm,
}
