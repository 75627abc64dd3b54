"""What references to 1Password's items can be: by a Connect server, and by a service account."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from accesses.providers.onepassword.forms import ID
from accesses.providers.references import PLAIN, Note, NotReadable, Reference

if TYPE_CHECKING:
    from accesses.models import Access

# How an item is listed whose title alone would not be found: `Title (id)`, with a field behind it.
_WITH_ID = re.compile(r".* \((?P<id>[a-z0-9]{26})\)(#(?P<field>.+))?", re.ASCII | re.DOTALL)
_LINK = re.compile(r"op://(?P<vault>[^/]+)/(?P<item>[^/]+)(/(?P<rest>.+))?")
# What the operator's own query language would read as more than a letter.
_ODD_LABEL = re.compile(r"[*?|#@!{}\[\]()=<>%~\\]")
_SEGMENT = re.compile(r"[A-Za-z0-9 ._-]+", re.ASCII)
LONGEST_TITLE = 255
CHARACTERS = "any letters but quotes, backslashes and #"

NO_PATH = (
    "The operator finds an item of 1Password by its whole title, not by how it begins, and makes a key of each of its "
    "fields. Take every key of the item instead."
)
NO_TAGS = (
    "By tags the operator makes a key of each field, not of each item: of several items with a field named password it "
    "would take one, and say nothing of the others. Link the items one by one, or every key of one."
)
NO_FIND = "The operator does not look for several items through a service account. Link them one by one."
NO_FIELD = "Through a service account the field belongs to the name: item/field, for example db/password."


def is_findable(title: str) -> bool:
    """Tell whether the operator finds an item by this title, if it is the only one that has it."""
    plain = title == title.strip() and title.isprintable() and 0 < len(title) <= LONGEST_TITLE
    return (
        plain
        and not re.search(r'["\\#]', title)
        and not ID.fullmatch(title)
        and not _WITH_ID.fullmatch(title)
    )


def name_of_new(access: "Access", name: str) -> str:
    """Return the title of an item that is made.

    :raises NotReadable: the operator would not find it
    """
    if not is_findable(name):
        raise NotReadable(
            f"“{name[:80]}” is no title that the operator finds: it has {CHARACTERS}, no space at its ends, at most "
            f"{LONGEST_TITLE} of them, and does not look like an ID."
        )
    return name


# -- by a Connect server -------------------------------------------------------------------------------------------
def _read(text: str) -> Reference:
    """Return what a title, an ID, the name of the list, a copied secret reference or `title#field` says."""
    text = text.strip()
    if text.startswith(("https://", "http://")):
        raise NotReadable(
            "This is an address. Enter the item's title or its ID, or copy its secret reference (op://)."
        )
    if link := _LINK.fullmatch(text):
        rest = (link["rest"] or "").rpartition("/")[2]
        return Reference(_title(unquote(link["item"])), _label(unquote(rest)), account=unquote(link["vault"]))
    if listed := _WITH_ID.fullmatch(text):
        return Reference(listed["id"], _label(listed["field"] or ""))
    title, mark, label = text.partition("#")
    if mark and not (title.strip() and label.strip()):
        raise NotReadable("Before # comes the item's title, after it a field: db#username.")
    return Reference(_title(title.strip()), _label(label.strip()))


def _title(title: str) -> str:
    if not ID.fullmatch(title) and not is_findable(title):
        raise NotReadable(f"“{title[:80]}” is no title that the operator finds. Enter the item's ID instead.")
    return title


def _label(label: str) -> str:
    if why := wrong_label(label):
        raise NotReadable(why, "json_field")
    return label


def wrong_label(label: str) -> str:
    """Return why a field's label cannot be asked for, or an empty string."""
    if not _ODD_LABEL.search(label):
        return ""
    return f"The operator reads {_ODD_LABEL.findall(label)[0]} in a field's label as a query. Rename the field in 1Password."


def _check_vault(access: "Access", reference: Reference, overrides: Mapping[str, str]) -> list[Note]:
    """Refuse a copied reference to another vault, as far as names tell."""
    own, there = access.configuration.get("vault", ""), reference.account
    if there and there != own and bool(ID.fullmatch(there)) == bool(ID.fullmatch(own)):
        raise NotReadable(
            f"This item is in the vault {there}, and {access} reads {own}. Add an access for the other vault."
        )
    return []


def _wrong(takes: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    why = wrong_label(str(values.get("json_field") or ""))
    return [("json_field", why)] if why else []


CONNECT = replace(
    PLAIN,
    noun="item",
    key_help="An item's title, its ID, or its secret reference (op://). With #field for another field than password.",
    characters=CHARACTERS,
    read=_read,
    check=_check_vault,
    field_help="The label of one of the item's fields; empty is the one named password. file/NAME takes an attached file.",
    tags_help=NO_TAGS,
    has_tags=lambda wanted, found: False,
    cannot={"path": NO_PATH, "tags": NO_TAGS},
    wrong=_wrong,
)


# -- by a service account ------------------------------------------------------------------------------------------
def _read_path(text: str) -> Reference:
    """Return what `item/field`, `item/section/field`, an item alone or a copied secret reference says."""
    text = text.strip()
    link = _LINK.fullmatch(text)
    vault, path = (link["vault"], f"{link['item']}/{link['rest'] or ''}".rstrip("/")) if link else ("", text)
    if "#" in path:
        raise NotReadable(NO_FIELD)
    # What follows a question mark asks for one facet of a field, such as its one-time password.
    parts = path.partition("?")[0].split("/")
    if not 1 <= len(parts) <= 3 or not all(_SEGMENT.fullmatch(part) for part in parts):
        raise NotReadable(
            "A name is item/field or item/section/field, of letters, digits, spaces, dots, hyphens and underscores. "
            "Where a title has other characters, its ID stands for it."
        )
    return Reference(path, account=vault)


def _needs_field(takes: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    key = str(values.get("key") or "")
    return [("key", NO_FIELD)] if takes == "value" and key and "/" not in key else []


SERVICE_ACCOUNT = replace(
    CONNECT,
    key_help="item/field or item/section/field, for example db/password, or the copied secret reference (op://).",
    characters="letters, digits, spaces, dots, hyphens and underscores",
    read=_read_path,
    field_help=NO_FIELD,
    tags_help=NO_FIND,
    cannot={"json_field": NO_FIELD, "path": NO_FIND, "tags": NO_FIND},
    wrong=_needs_field,
)
