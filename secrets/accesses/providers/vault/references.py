"""What references to Vault's secrets can be."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from accesses.providers.references import (
    OVERRIDES,
    PLAIN,
    Below,
    Note,
    NotReadable,
    Reference,
    References,
    Version,
    split_address,
    split_field,
)

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

LONGEST = 500
_LINK = re.compile(r"/ui/vault/secrets/(?P<mount>[^/]+)/(kv|show|details)/(?P<name>.+?)(/details|/edit)?/?")
_WHOLE = Note(
    "All of its fields arrive as one JSON text",
    "A secret in Vault is a set of fields. Without a field the variable holds them all, as {…}. For the value of one, write "
    "its name after #: db#password. What was written as plain text through this console is in the field value: db#value.",
)


def _read(text: str) -> Reference:
    """Return what a path, `path#field` or a link of Vault's own pages says."""
    text = text.strip()
    if text.startswith(("https://", "http://")):
        return _of_link(text)
    key, json_field = split_field(text)
    return Reference(clean(key), json_field)


def _of_link(link: str) -> Reference:
    found = _LINK.fullmatch(split_address(link).path)
    if found is None:
        raise NotReadable("This address names no secret. Copy its path from Vault, without the engine's.")
    return Reference(clean(unquote(found["name"])), account=unquote(found["mount"]))


def clean(name: str) -> str:
    """Return a secret's path below the engine.

    :raises NotReadable: it is none
    """
    path = name.strip("/")
    parts = path.split("/")
    if not path:
        raise NotReadable("Enter the path of a secret, such as prod/db.")
    if not path.isprintable() or any(part in ("", ".", "..") for part in parts):
        raise NotReadable(
            f"“{path[:80]}” is no path of a secret: it has an empty part, or letters that nobody sees."
        )
    if len(path) > LONGEST:
        raise NotReadable(f"This path has {len(path)} letters; {LONGEST} are the most.")
    return path


def _check(access: "Access", reference: Reference, overrides: Mapping[str, str]) -> list[Note]:
    """Return what to know of a reference.

    :raises NotReadable: it is in another engine, which the store does not read
    """
    mount = access.configuration["mount"]
    if reference.account and reference.account != mount:
        raise NotReadable(
            f"This secret is in the engine {reference.account}, and {access} reads {mount}: add an access for it."
        )
    found = [] if reference.json_field else [_WHOLE]
    if reference.key.startswith(f"{mount}/"):
        short = reference.key.removeprefix(f"{mount}/")
        text = f"The operator takes {mount}/ at the beginning for the engine, and reads {short} in it."
        found.insert(0, Note(f"It is read as {short}", text))
    return found


def _folder(text: str) -> str:
    try:
        return clean(text.strip().removesuffix("*"))
    except NotReadable as error:
        raise NotReadable(str(error), "below") from None


_NOT = {
    "region": "Vault has no regions.",
    "role_arn": "Vault has no roles that are assumed. Another role is another access.",
    "audience": "The audience is the access's own: another one is another access.",
}
VERSION_2 = replace(
    PLAIN,
    key_help="A path below the engine, such as prod/db. With #field for one of its fields: prod/db#password.",
    characters="letters, digits and signs, with / between folders",
    read=_read,
    check=_check,
    versions={
        "version": Version(
            "Version",
            "A number; empty is the latest.",
            re.compile(r"[1-9]\d{0,8}"),
            "A version is a number from 1.",
        )
    },
    below=Below(
        "In this folder",
        "Each secret in it and in the folders below becomes a key that holds all its fields as JSON.",
        _folder,
        lambda path: f"{path}/",
    ),
    tags_help="Custom metadata, one a line, as name=value; secrets that have all of it become keys. The operator reads the "
    "metadata of every secret of the engine for that.",
    overrides=lambda access: {name: _NOT[name] for name in OVERRIDES},
    several_note="Needs list and read on the engine's metadata beside reading the values.",
)
_NO_TAGS = "Version 1 of the engine has no custom metadata, and the operator finds nothing by it."
# The engine's version 1 has no versions, no metadata and thereby no tags.
VERSION_1 = replace(
    VERSION_2,
    versions={},
    tags_help=_NO_TAGS,
    no_tags=_NO_TAGS,
    has_tags=lambda wanted, found: False,
    tags_listed=False,
)


def of(access: "Access | AccessDraft") -> References:
    """Return what a reference through an access can be."""
    return VERSION_1 if access.configuration.get("version") == "1" else VERSION_2
