"""Addresses and bodies with `{key}` in them, as a person writes them, as the operator wants them, and filled in."""

import re
from urllib.parse import quote_plus, urlsplit

NAMES = ("key", "property", "version")
_PLACE = re.compile(r"\{(key|property|version)\}")
# One that the operator would take for the beginning of an action: beside another one, or before a place.
_BRACE = re.compile(r"\{(?=\{)|\{$")


class NotATemplate(ValueError):
    """What was typed is none; `str()` says why."""


def names_in(text: str) -> set[str]:
    """Return which of the names a template uses."""
    return {found[1] for found in _PLACE.finditer(text)}


def operators(text: str) -> str:
    """Return a template as the operator's: `{key}` is `{{ .remoteRef.key }}`, and other braces stay braces."""
    parts = _PLACE.split(text)
    made = [
        f"{{{{ .remoteRef.{part} }}}}" if at % 2 else _BRACE.sub('{{ "{" }}', part)
        for at, part in enumerate(parts)
    ]
    return "".join(made)


def filled(text: str, values: dict[str, str], *, address: bool) -> str:
    """Return a template filled in as the operator does it: for an address as into a query, else as it is."""
    return _PLACE.sub(
        lambda found: quote_plus(values.get(found[1], ""), safe="") if address else values.get(found[1], ""),
        text,
    )


def check_address(text: str) -> None:
    """Refuse an address whose host is not written out, or that has braces which are no places.

    :raises NotATemplate: why
    """
    rest = _PLACE.sub("", text)
    if "{" in rest or "}" in rest:
        raise NotATemplate("Between braces stands key, property or version, for example {key}.")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if (
        not host
        or parts.scheme not in ("https", "http")
        or not text.isprintable()
        or " " in text
        or "\\" in text
    ):
        raise NotATemplate("Enter an address such as https://secrets.example.com/v1/{key}.")
    if "{" in parts.netloc:
        raise NotATemplate("The host is written out: a name of a secret may not decide who is asked.")
    if parts.username or parts.password:
        raise NotATemplate("Enter the address without a user; the credential goes into a header.")
    if parts.fragment or text.endswith("#"):
        raise NotATemplate("What follows a # is never sent. Take it away.")
