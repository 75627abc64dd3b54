"""Writing to a key vault: which names, tags and sizes it takes."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from accesses.providers.azure import references as azure_references
from accesses.providers.azure import wording as azure_wording
from accesses.providers.references import NotReadable
from accesses.providers.writing import Writing

if TYPE_CHECKING:
    from accesses.models import Access

# A value with its tags is one request of about 25 KB at most.
MOST_BYTES = 25_600
MOST_TAGS, LONGEST_TAG = 15, 256


def writable_name(access: "Access", name: str) -> str:
    """Return a name as the vault takes it.

    :raises NotReadable: it is none
    """
    if not azure_references.NAME.fullmatch(name):
        raise NotReadable(
            f"A secret's name in a key vault has {azure_references.CHARACTERS}, at most 127: "
            f"{re.sub(r'[^A-Za-z0-9]+', '-', name)[:127].strip('-') or 'shop-db-password'} would be one."
        )
    return name


def check_tags(tags: Mapping[str, str]) -> None:
    """Check that a key vault takes these tags.

    :raises NotReadable: with the reason
    """
    if len(tags) > MOST_TAGS:
        raise NotReadable(f"These are {len(tags)} tags; a key vault takes {MOST_TAGS} a secret.")
    for name, value in tags.items():
        if max(len(name), len(value)) > LONGEST_TAG:
            raise NotReadable(
                f"“{name[:40]}”: a tag's name and its value have at most {LONGEST_TAG} characters each."
            )


WRITING = Writing(
    policy=azure_wording.WRITING,
    most_bytes=MOST_BYTES,
    name=writable_name,
    check_tags=check_tags,
    note="A deleted secret can be recovered for as long as the vault keeps it, 7 to 90 days; until then its name is "
    "taken. Deleting and recovering take Azure some seconds. A new version has no end, whatever end the one before "
    "had.",
)
