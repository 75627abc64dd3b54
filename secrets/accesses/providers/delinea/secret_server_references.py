"""What references to secrets of Delinea Secret Server can be: an ID, a path, or a name, and one field of it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from accesses.providers.references import (
    PLAIN,
    Below,
    Note,
    NotReadable,
    Reference,
    split_address,
    split_field,
)

if TYPE_CHECKING:
    from accesses.models import Access

LONGEST = 900
UNLISTED = (
    "The operator cannot look for secrets in Secret Server: name each one. What a JSON value has is taken by "
    "“every key”."
)
_LINK = re.compile(r"/(?:secrets?)/(?P<id>\d+)(?:/|$)")
_IN_FOLDER = re.compile(r"folderId:\d+/\S.*")


def _read(text: str) -> Reference:
    """Return what an ID, a path, a name, or a link of Secret Server's pages says.

    :raises NotReadable: why it is none
    """
    text = text.strip()
    if text.startswith(("https://", "http://")):
        return Reference(_of_link(text))
    key, json_field = split_field(text)
    if key.startswith(("arn:", "projects/")):
        raise NotReadable("This names a secret of a cloud; this access reads Secret Server.")
    key = key.replace("\\", "/")
    if "/" in key and not key.startswith("/") and not _IN_FOLDER.fullmatch(key):
        raise NotReadable(
            f"A path begins with /, as in /{key[:80]}. Without one it is a name, which has no /."
        )
    if key.endswith("/") or "//" in key:
        raise NotReadable(f"“{key[:80]}” has a / with nothing behind it.")
    if len(key) > LONGEST or not key.isprintable():
        raise NotReadable(f"A path has at most {LONGEST} characters, and none that cannot be seen.")
    return Reference(key, json_field)


def _of_link(link: str) -> str:
    parts = split_address(link)
    found = _LINK.search(f"{parts.path}/{parts.fragment}")
    if found is None:
        raise NotReadable("This address names no secret: one of a secret ends in /secrets/1234/general.")
    return found["id"]


def _check(access: "Access", reference: Reference, overrides: Mapping[str, str]) -> list[Note]:
    """Return what to know: several secrets can have a name, and a secret several fields."""
    notes = []
    if not reference.json_field:
        notes.append(
            Note(
                "Name a field",
                "A secret there has fields, such as password: put #password behind it, or fill in the field. Without one "
                "the operator brings the whole record as JSON.",
            )
        )
    key = reference.key
    if not key.isdecimal() and not key.startswith(("/", "folderId:")):
        notes.append(
            Note(
                "A name alone may be of several",
                "The operator searches for it and takes the first that it finds. The path, or the ID, is of one alone.",
            )
        )
    return notes


def _no_beginning(text: str) -> str:
    raise NotReadable(UNLISTED, "below")


REFERENCES = replace(
    PLAIN,
    key_help="A path such as /Shop/Database, or the secret's ID; with #field for one of its fields: 1234#password.",
    characters="what a name in Secret Server has, but no /",
    read=_read,
    check=_check,
    below=Below("Names that begin with", UNLISTED, _no_beginning, lambda path: path),
    tags_help="Secret Server has no tags: nothing is found by them.",
    has_tags=lambda wanted, found: False,
    tags_listed=False,
    several_note=UNLISTED,
    cannot={
        "path": UNLISTED,
        "tags": "Secret Server has no tags, and the operator cannot look for secrets in it.",
    },
)
