"""What references to Doppler's secrets can be."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from accesses.providers.references import PLAIN, Below, NotReadable, Reference

if TYPE_CHECKING:
    from accesses.models import Access

NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,254}", re.ASCII)
CHARACTERS = "capital letters, digits and _, and begin with no digit"
# What Doppler writes into every config itself.
MANAGED = ("DOPPLER_PROJECT", "DOPPLER_ENVIRONMENT", "DOPPLER_CONFIG")

NO_FIELD = (
    "The operator takes a secret of Doppler whole: it ignores a field of it. Take every key of it instead, or keep the "
    "field as a secret of its own."
)
NO_TAGS = (
    "Doppler's secrets have no tags, and the operator, asked for some, would take every secret of the config. Take those "
    "whose names begin alike instead."
)


def checked(name: str) -> str:
    """Return a name of a secret.

    :raises NotReadable: it is none
    """
    if NAME.fullmatch(name):
        return name
    upper = re.sub(r"[^A-Z0-9_]", "_", name.upper())
    hint = f" Did you mean {upper[:80]}?" if NAME.fullmatch(upper) and name.isascii() else ""
    raise NotReadable(f"“{name[:80]}” is no name of a secret: those have {CHARACTERS}.{hint}")


def _read(text: str) -> Reference:
    text = text.strip()
    if text.startswith(("https://", "http://")):
        raise NotReadable("This is an address. Copy the secret's name from the Doppler dashboard.")
    name, mark, _ = text.partition("#")
    if mark and name:
        raise NotReadable(f"{NO_FIELD} Without # the whole value of {name[:80]} is taken.")
    return Reference(checked(text))


def _start(text: str) -> str:
    prefix = text.strip().removesuffix("*")
    if not NAME.fullmatch(prefix):
        raise NotReadable(f"“{prefix[:80]}” begins no name: those have {CHARACTERS}.", "below")
    return prefix


def _no_tags(wanted: Mapping[str, str], found: Mapping[str, str]) -> bool:
    return False


def name_of_new(access: "Access", name: str) -> str:
    """Return a name as Doppler takes it for a secret that is made.

    :raises NotReadable: it is none, or Doppler's own
    """
    if name in MANAGED:
        raise NotReadable(f"{name} is written by Doppler itself in every config.")
    return checked(name)


SECRETS = replace(
    PLAIN,
    key_help="A name such as DB_PASSWORD. It is taken whole.",
    characters=CHARACTERS,
    read=_read,
    below=Below(
        "Names that begin with",
        "Each secret whose name begins so becomes a key, for example SHOP_.",
        _start,
        lambda path: path,
    ),
    tags_help=NO_TAGS,
    has_tags=_no_tags,
    tags_listed=False,
    cannot={"json_field": NO_FIELD, "tags": NO_TAGS},
)
