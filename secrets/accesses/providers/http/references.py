"""What references to what an HTTP source gives can be: that depends on what its address asks for."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from accesses.providers.http import templates as http_templates
from accesses.providers.http.forms import KEY
from accesses.providers.references import (
    PLAIN,
    Below,
    Note,
    NotReadable,
    Reference,
    References,
    Version,
    split_field,
)

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

NO_FIND = (
    "Not possible here: an HTTP source is asked for one name at a time. Link each by its name, or take every key of one "
    "that is JSON."
)
NO_FIELD = "The address of this access has no {property}: the source is not told which field is wanted."
_VERSION = Version(
    "Version",
    "As the source knows it; empty is none.",
    re.compile(r"[A-Za-z0-9._-]{1,100}"),
    "A version has letters, digits and . _ - alone.",
)


def _read(text: str) -> Reference:
    key, json_field = split_field(text.strip())
    if not KEY.fullmatch(key):
        raise NotReadable(f"“{key[:80]}” is no name here: it has letters, digits and . _ ~ / @ : + = -.")
    return Reference(key, json_field)


def _check(access: "Access", reference: Reference, overrides: Mapping[str, str]) -> list[Note]:
    """Return what to know of a name with slashes, which the operator writes as %2F wherever it stands."""
    if "/" not in reference.key or "{key}" not in urlsplit(access.configuration["url"]).path:
        return []
    return [
        Note(
            "The slashes are sent as %2F",
            "The operator writes a name into the address as one word. Servers and proxies that take %2F for nothing but a "
            "slash, or refuse it, do not find it: put {key} behind a question mark where you can.",
        )
    ]


def _no_beginning(text: str) -> str:
    raise NotReadable(NO_FIND, "below")


PLAIN_SOURCE = replace(
    PLAIN,
    noun="name",
    key_help="As the source knows it. It takes the place of {key} in the address.",
    characters="letters, digits and . _ ~ / @ : + = -",
    read=_read,
    check=_check,
    below=Below("Names that begin with", NO_FIND, _no_beginning, lambda path: path),
    tags_help=NO_FIND,
    has_tags=lambda wanted, found: False,
    cannot={"path": NO_FIND, "tags": NO_FIND, "json_field": NO_FIELD},
    several_note=NO_FIND,
)


def of(access: "Access | AccessDraft") -> References:
    """Return what an access's address can be asked for."""
    configuration = access.configuration
    names = http_templates.names_in(configuration.get("url", "") + configuration.get("body", ""))
    cannot = dict(PLAIN_SOURCE.cannot)
    if "property" in names:
        del cannot["json_field"]
    return replace(PLAIN_SOURCE, cannot=cannot, versions={"version": _VERSION} if "version" in names else {})
