"""What references to Conjur's variables can be."""

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
    split_field,
)

if TYPE_CHECKING:
    from accesses.models import Access

_FULL = re.compile(r"(?P<account>[^:/\s]+):(?P<kind>[a-z_]+):(?P<name>.+)")
CHARACTERS = "any but spaces at their ends, with slashes between the policies"


def _read(text: str) -> Reference:
    """Return what an ID, a full ID `account:variable:id` or the short form `id#field` says."""
    text = text.strip()
    if text.startswith(("https://", "http://")):
        raise NotReadable("This is an address. Enter the variable's ID, for example prod/db/password.")
    key, json_field = split_field(text)
    full = _FULL.fullmatch(key)
    if full is None:
        return Reference(_checked(key), json_field)
    if full["kind"] != "variable":
        raise NotReadable(f"This is a {full['kind']}. Only variables have a value.")
    return Reference(_checked(full["name"]), json_field, account=full["account"])


def _checked(name: str) -> str:
    if not name.isprintable() or len(name) > 500:
        raise NotReadable("An ID has no control characters, and at most 500 of others.")
    if name.startswith("/") or name.endswith("/") or "//" in name:
        raise NotReadable(
            f"“{name[:80]}” is no ID of a variable: no slash begins or ends it: prod/db/password."
        )
    return name


def _check(access: "Access", reference: Reference, overrides: Mapping[str, str]) -> list[Note]:
    """Refuse a variable of another account, which the store does not sign in to.

    :raises NotReadable: it is one
    """
    own = access.configuration["account"]
    if reference.account and reference.account != own:
        raise NotReadable(
            f"This variable is in the account {reference.account}, and {access} reads {own}. "
            f"Add an access for {reference.account}."
        )
    return []


def _clean_start(text: str) -> str:
    start = text.strip().removesuffix("*").lstrip("/")
    if not start or not start.isprintable():
        raise NotReadable("Enter what the IDs begin with, for example prod/shop/.", "below")
    return start


SECRETS = replace(
    PLAIN,
    noun="variable",
    key_help="The variable's ID. With #field for one field of a JSON value: prod/db#password. There are no versions to "
    "choose: the operator always reads the newest value.",
    characters=CHARACTERS,
    read=_read,
    check=_check,
    below=Below(
        "IDs that begin with",
        "Each variable whose ID begins so becomes a key, for example prod/shop/.",
        _clean_start,
        lambda path: path,
    ),
    tags_help="Annotations, one a line, as name=value; variables that have all of them become keys.",
    several_note="Needs read and execute on each of them: the operator lists every variable that the identity sees, and "
    "reads those in one request, which fails if one has no value.",
)
