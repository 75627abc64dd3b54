"""What references to secrets can be that the operator reads through the console's gateway."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from accesses.providers.references import PLAIN, Below, Note, NotReadable, Reference, Version, split_field
from built_in import names

if TYPE_CHECKING:
    from accesses.models import Access

NO_FIND = (
    "Not possible here: the operator asks the gateway for one secret at a time. Link each by its name, or keep several "
    "values in one secret as JSON and take every key."
)


def _read(text: str) -> Reference:
    """Take a name and a field apart.

    :raises NotReadable: it is no name
    """
    key, json_field = split_field(text.strip())
    if key and not names.NAME.fullmatch(key):
        raise NotReadable(names.RULE)
    return Reference(key, json_field)


def _check(access: "Access", reference: Reference, overrides: Mapping[str, str]) -> list[Note]:
    return []


def _no_beginning(text: str) -> str:
    raise NotReadable(NO_FIND, "below")


GATEWAY = replace(
    PLAIN,
    key_help="A name such as prod/db. With #field for one field of a JSON value: prod/db#password.",
    characters=names.CHARACTERS,
    read=_read,
    check=_check,
    versions={
        "version": Version(
            label="Version",
            help_text="A number from 1; empty is always the newest.",
            rule=re.compile(r"[1-9]\d{0,8}", re.ASCII),
            wrong="A version is a number from 1.",
        )
    },
    below=Below("Names that begin with", NO_FIND, _no_beginning, lambda path: path),
    cannot={"path": NO_FIND, "tags": NO_FIND},
    has_tags=lambda wanted, found: False,
    several_note=NO_FIND,
)
