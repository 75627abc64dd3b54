"""What references to Google's secrets can be."""

import copy
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from django.core.exceptions import ValidationError

from accesses.providers.google import forms as google_forms
from accesses.providers.references import (
    Below,
    Note,
    NotReadable,
    Reference,
    References,
    Varied,
    Version,
    split_address,
    split_field,
)

if TYPE_CHECKING:
    from accesses.models import Access, StoreVariant

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_FULL = re.compile(
    r"(//secretmanager\.googleapis\.com/)?projects/(?P<project>[^/]+)(/locations/(?P<region>[^/]+))?/secrets/(?P<name>[^/]+)"
    r"(/versions/(?P<version>[^/]+))?"
)
_LINK = re.compile(r"/security/secret-manager/(regional/locations/(?P<region>[^/]+)/)?secret/(?P<name>[^/]+)")
CHARACTERS = "letters, digits, _ and -"


# -- what was typed --------------------------------------------------------------------------------------------
def _read(text: str) -> Reference:
    """Return what a name, a full resource name, a link of Google's console or the short form `name#field` says."""
    text = text.strip()
    if text.startswith(("https://", "http://")):
        return _of_link(text)
    key, json_field = split_field(text)
    if key.startswith("arn:"):
        raise NotReadable("This is an ARN of AWS; this access reads Google Secret Manager.")
    if full := _FULL.fullmatch(key):
        return Reference(
            _checked(full["name"]),
            json_field,
            version=full["version"] or "",
            region=full["region"] or "",
            account=full["project"],
        )
    return Reference(_checked(key), json_field)


def _checked(name: str) -> str:
    if "/" in name:
        raise NotReadable(
            f"“{name[:80]}” is no name of a secret. A full one looks like projects/acme/secrets/db."
        )
    if not _NAME.fullmatch(name):
        raise NotReadable(
            f"“{name[:80]}” is no name of a secret: those have {CHARACTERS}. A JSON field follows after #: db#password."
        )
    return name


def _of_link(link: str) -> Reference:
    parts = split_address(link)
    found = _LINK.match(parts.path)
    if (parts.hostname or "") != "console.cloud.google.com" or found is None:
        raise NotReadable("This address names no secret. Copy its name from the Google Cloud console.")
    project = parse_qs(parts.query).get("project", [""])[0]
    return Reference(_checked(found["name"]), region=found["region"] or "", account=project)


def check(access: "Access", reference: Reference, overrides: Mapping[str, str]) -> list[Note]:
    """Return what to know of a reference that names its project or its region.

    :raises NotReadable: it is in another one, which the operator has no way to name in a key
    """
    own, there = access.configuration["project"], reference.account
    here = overrides.get("region") or access.configuration.get("region", "")
    if there and there != own and not _is_number_of(access, there):
        raise NotReadable(
            f"This secret is in the project {there}, and {access} reads {own}. The operator puts the access's project "
            f"before each name, so that a key cannot name another one: add an access for {there}, whose identity may be "
            "the same."
        )
    if reference.region and reference.region != here:
        raise NotReadable(
            f"This secret is regional, in {reference.region}, and {access} reads {here or 'global secrets'}. Read it with "
            f"the region {reference.region}? It is filled in under “Read it from elsewhere”; send the form once more for "
            "that.",
            "key",
            {"region": reference.region},
        )
    return []


def _is_number_of(access: "Access", project: str) -> bool:
    """Tell whether a number is the access's own project's, as Google writes it in what it lists."""
    return (
        project.isdigit() and access.inventory.filter(reference__startswith=f"projects/{project}/").exists()
    )


def _clean_prefix(text: str) -> str:
    prefix = text.strip().removesuffix("*")
    if not _NAME.fullmatch(prefix):
        raise NotReadable(f"“{prefix[:80]}” begins no name: those have {CHARACTERS}.", "below")
    return prefix


def _has_labels(wanted: Mapping[str, str], found: Mapping[str, str]) -> bool:
    return wanted.items() <= found.items()


# -- read from elsewhere -----------------------------------------------------------------------------------------
def _overrides(access: "Access") -> dict[str, str]:
    federation = access.method == "federation"
    return {
        "region": "",
        "role_arn": "Google has no roles that are assumed. Another service account is another access.",
        "audience": ""
        if federation
        else "Only workload identity federation has tokens with an audience to choose.",
    }


def _clean_override(access: "Access", name: str, value: str) -> str:
    """Return an override as a store takes it.

    :raises ValidationError: it is none
    """
    value = value.strip()
    if name == "region" and value:
        value = google_forms.clean_region(value)
    elif name == "audience" and value and not re.fullmatch(r"[\w.:/@+-]{1,500}", value, re.ASCII):
        raise ValidationError("An audience is one word or address, such as https://console.example.com.")
    configuration = access.configuration
    own = {
        "region": configuration.get("region", ""),
        "audience": f"https:{configuration.get('audience', '')}",
    }
    return "" if value == own.get(name) else value


def _vary(access: "Access", variant: "StoreVariant", spec: dict[str, Any]) -> Varied:
    """Return a store of another region's secrets, or with a token for another audience."""
    found = copy.deepcopy(spec)
    store = found["gcpsm"]
    if variant.region:
        store["location"] = variant.region
    federation = store.get("auth", {}).get("workloadIdentityFederation")
    if variant.audience and federation:
        federation["serviceAccountRef"]["audiences"] = [variant.audience]
    return Varied(found)


SECRETS = References(
    noun="secret",
    key_help="A name. With #field for one field of a JSON value: db#password.",
    characters=CHARACTERS,
    read=_read,
    check=check,
    versions={
        "version": Version(
            "Version",
            "A number, an alias or latest; empty is latest.",
            re.compile(r"[1-9]\d{0,14}|[A-Za-z][A-Za-z0-9_-]{0,62}"),
            "A version is a number from 1, an alias of letters, digits, _ and - that begins with a letter, or latest.",
        )
    },
    below=Below(
        "Names that begin with",
        "Each secret whose name begins so becomes a key, for example shop-.",
        _clean_prefix,
        lambda path: path,
    ),
    tags_help="Labels, one a line, as name=value; secrets that have all of them become keys. Regional secrets are not "
    "found by labels.",
    has_tags=_has_labels,
    overrides=_overrides,
    override_help={
        "region": "Where this secret is, when it is regional and not where the access reads.",
        "role_arn": "",
        "audience": "For whom the cluster's token is made out, when the pool's provider allows another audience than "
        "its own name.",
    },
    clean_override=_clean_override,
    vary=_vary,
    several_note="Needs roles/secretmanager.viewer on the project beside reading the values.",
)
