"""What references to an Azure key vault's secrets can be."""

import copy
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from accesses.providers.azure import forms as azure_forms
from accesses.providers.references import (
    OVERRIDES,
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
    from accesses.models import Access

NAME = re.compile(r"[A-Za-z0-9-]{1,127}", re.ASCII)
VERSION = re.compile(r"[0-9a-f]{32}", re.ASCII)
CHARACTERS = "letters, digits and -"
_KINDS = {"key": "key", "keys": "key", "cert": "certificate", "certificates": "certificate"}


# -- what was typed --------------------------------------------------------------------------------------------
def _read(text: str) -> Reference:
    """Return what a name, a secret identifier of the vault or the short form `name#field` says."""
    key, json_field = split_field(text.strip())
    if key.startswith(("https://", "http://")):
        return _of_identifier(key, json_field)
    if key.startswith(("arn:", "projects/")):
        raise NotReadable("This names a secret of another cloud; this access reads an Azure key vault.")
    kind, slash, name = key.partition("/")
    if slash and kind in _KINDS:
        raise NotReadable(_no_secret(_KINDS[kind]))
    # The operator calls a secret by either.
    return Reference(_checked(name if slash and kind == "secret" else key), json_field)


def _no_secret(kind: str) -> str:
    return (
        f"This names a {kind} of the vault, of which the operator reads the public part alone. The console links secrets; "
        "a certificate's private key is in the secret of the same name."
    )


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise NotReadable(
            f"“{name[:80]}” is no name of a secret: those have {CHARACTERS}, at most 127. A JSON field follows after #: "
            "db#password."
        )
    return name


def _of_identifier(link: str, json_field: str) -> Reference:
    """Return what `https://acme.vault.azure.net/secrets/db/VERSION` says; `account` is the vault."""
    parts = split_address(link)
    try:
        vault, _ = azure_forms.cloud_of(parts.hostname or "")
    except ValueError:
        vault = ""
    words = [word for word in parts.path.split("/") if word]
    if vault and words and words[0] in _KINDS:
        raise NotReadable(_no_secret(_KINDS[words[0]]))
    if not vault or len(words) not in (2, 3) or words[0] != "secrets":
        raise NotReadable(
            "This address names no secret. Copy the Secret Identifier of the Azure portal, such as "
            "https://acme.vault.azure.net/secrets/db."
        )
    version = words[2] if len(words) == 3 else ""
    if version and not VERSION.fullmatch(version):
        raise NotReadable(_WRONG_VERSION)
    return Reference(_checked(words[1]), json_field, version=version, account=vault)


def _check(access: "Access", reference: Reference, overrides: Mapping[str, str]) -> list[Note]:
    """Refuse a secret of another vault.

    :raises NotReadable: the operator has no way to name it in a key
    """
    own, there = access.configuration.get("vault", ""), reference.account
    if there and there != own:
        raise NotReadable(
            f"This secret is in the vault {there}, and {access} reads {own}. A key cannot name another vault: add an access "
            f"for {there}, whose identity may be the same."
        )
    return []


def _clean_prefix(text: str) -> str:
    prefix = text.strip().removesuffix("*")
    if not NAME.fullmatch(prefix):
        raise NotReadable(f"“{prefix[:80]}” begins no name: those have {CHARACTERS}.", "below")
    return prefix


def _has_tags(wanted: Mapping[str, str], found: Mapping[str, str]) -> bool:
    return wanted.items() <= found.items()


_WRONG_VERSION = "A version of a key vault's secret is 32 letters a to f and digits, as the portal shows it."
_ONE_PLACE = "A vault has one address, and its identity one tenant. Another vault is another access."
SECRETS = References(
    noun="secret",
    key_help="A name, or the Secret Identifier of the Azure portal. With #field for one field of a JSON value: "
    "db#password.",
    characters=CHARACTERS,
    read=_read,
    check=_check,
    versions={
        "version": Version(
            "Version", "32 letters and digits; empty is the current one.", VERSION, _WRONG_VERSION
        )
    },
    below=Below(
        "Names that begin with",
        "Each enabled secret whose name begins so becomes a key, for example shop-. A vault has no folders: the operator "
        "lists all of it each time, and picks.",
        _clean_prefix,
        lambda path: path,
    ),
    tags_help="One a line, as name=value; enabled secrets that have all of them become keys.",
    has_tags=_has_tags,
    overrides=lambda access: dict.fromkeys(OVERRIDES, _ONE_PLACE),
    override_help=dict.fromkeys(OVERRIDES, ""),
    clean_override=lambda access, name, value: "",
    vary=lambda access, variant, spec: Varied(copy.deepcopy(spec)),
    several_note="Needs to list the vault's secrets beside reading their values.",
)
