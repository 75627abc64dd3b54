"""What may be written through an access: which names, with which tags, how large."""

import json
import unicodedata
from collections.abc import Mapping

from django.views.decorators.debug import sensitive_variables

from accesses import writing
from accesses.models import Access
from accesses.providers import PROVIDERS, Writing
from accesses.providers.references import NotReadable
from external_secrets.inventory_staging import LONGEST_NAME
from external_secrets.models import InventoryEntry


class NotAllowed(ValueError):
    """Something was not written, and nothing was sent. `str()` says why, `field` names what it is about."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.field = field


def how(access: Access) -> Writing:
    """Return how an access is written to.

    :raises NotAllowed: it is not
    """
    try:
        return writing.of(access)
    except writing.NotWritable as error:
        raise NotAllowed(f"{error} {error.remedy}".strip()) from None


def full_name(access: Access, name: str, reach: tuple[str, ...]) -> str:
    """Return the name that a new secret gets, behind the access's prefix, as its manager takes it.

    `reach` are the beginnings of the names that the person may write.

    :raises NotAllowed: it is none, or leads out of the prefix or of the reach
    """
    if not name:
        raise NotAllowed("Enter a name.", "name")
    whole = _as_manager(access, f"{access.prefix}{name}")
    if not whole.startswith(reach):
        some = ", ".join(reach[:5]) or "nothing"
        raise NotAllowed(f"Your role writes names that begin with {some}.", "name")
    return whole


def known_name(access: Access, name: str) -> str:
    """Return the name of a secret that is there, if it may be written through the access.

    :raises NotAllowed: it is outside of the prefix, or is no name, or has not the tags that the access sees
    """
    if _as_manager(access, name) != name:
        raise NotAllowed("Its manager has no secret of this name.", "name")
    if access.only_tagged and not has_tags(access, name):
        raise NotAllowed(
            f"{access} sees only secrets with its own tags, and this one has not all of them.", "name"
        )
    return name


def has_tags(access: Access, name: str) -> bool:
    """Tell whether a secret has the tags that the access asks for, as far as its names were read."""
    entry = InventoryEntry.objects.filter(access=access, name=name).first()
    return entry is not None and access.tags.items() <= entry.tags.items()


def _as_manager(access: Access, name: str) -> str:
    _check_plain(name)
    try:
        whole = how(access).name(access, name)
    except NotReadable as error:
        raise NotAllowed(str(error), "name") from None
    if not whole.startswith(access.prefix):
        raise NotAllowed(f"{access} writes names that begin with {access.prefix}.", "name")
    return whole


def _check_plain(name: str) -> None:
    """Refuse what reads as one name and is another, or leads to another place where it becomes part of an address."""
    if not name.isprintable() or name != name.strip():
        raise NotAllowed("A name has no spaces at its ends, and no invisible characters.", "name")
    if unicodedata.normalize("NFKC", name) != name:
        raise NotAllowed("The name has characters that look like others. Type them plainly.", "name")
    if len(name.encode()) > LONGEST_NAME:
        raise NotAllowed(f"The name is longer than {LONGEST_NAME} bytes.", "name")
    parts = name.removeprefix("/").replace("\\", "/").split("/")
    if any(part in (".", "..") for part in parts) or "" in parts[:-1] or not parts[-1]:
        raise NotAllowed(
            "The name has an empty part, or one that leads elsewhere: no // and no . or .. between.", "name"
        )


def tags_of(access: Access, extra: Mapping[str, str]) -> dict[str, str]:
    """Return what a new secret is tagged with: the defaults, which stay, and what a person adds.

    :raises NotAllowed: a default would be changed, or the manager does not take them
    """
    found = how(access)
    if not found.tags:
        if extra:
            raise NotAllowed("This secret manager has no tags.", "tags")
        return {}
    defaults = writing.tags_of(access)
    for name, value in extra.items():
        if defaults.get(name, value) != value:
            raise NotAllowed(f"{name} is a default tag here, and is {defaults[name]}.", "tags")
    wanted = defaults | dict(extra)
    check_tags(access, wanted)
    return wanted


def check_tags(access: Access, tags: Mapping[str, str]) -> None:
    """Check that the access's manager takes tags.

    :raises NotAllowed: it does not
    """
    try:
        how(access).check_tags(tags)
    except NotReadable as error:
        raise NotAllowed(str(error), "tags") from None


@sensitive_variables()
def field_of(access: Access, value: str) -> str:
    """Return the field that a value has become, which a link has to name; empty where it is read as it was typed."""
    try:
        typed = json.loads(value)
    except (ValueError, RecursionError):
        typed = None
    return "" if isinstance(typed, dict) and typed else how(access).text_field


def telling(access: Access, field: str) -> str:
    """Return a field where it says something of what is in it, which the one that every text becomes does not."""
    known = PROVIDERS[access.provider].writing_of(access)
    return "" if known and field == known.text_field else field


def check_size(access: Access, length: int) -> None:
    """Refuse a value that has more bytes than its manager takes, or none."""
    most = how(access).most_bytes
    if not length:
        raise NotAllowed("Enter a value.", "value")
    if length > most:
        raise NotAllowed(
            f"The value has {length:,} bytes; {most:,} are the most that are taken there.", "value"
        )
