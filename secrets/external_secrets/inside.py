"""Whether what a link takes lies in what its access sees: below its prefix, with its tags."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from accesses import providers
from accesses.models import Access
from external_secrets import browsing_uses
from external_secrets.models import ExternalSecret, InventoryEntry, InventoryState

Takes = ExternalSecret.Takes
# What of a link says which secrets it takes.
TAKEN = ("takes", "key", "tags")


class NotAllowed(Exception):
    """It may not go there, or not become that. `str()` says why."""


def wrong(access: Access, values: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the field and why a link of `values` (takes, key, tags) would take more than the access sees."""
    takes, key = values.get("takes", Takes.VALUE), str(values.get("key", ""))
    if takes == Takes.TAGS:
        return _of_tags(access, values.get("tags") or {})
    if _leads_out(key):
        # A name below a prefix, or one that a role reaches, would be another one to who resolves the dots.
        return (
            "below" if takes == Takes.PATH else "key",
            "No part of a name is . or .., which lead elsewhere.",
        )
    if takes == Takes.PATH:
        return _of_path(access, key)
    if not browsing_uses.begins(key, access.prefix):
        return "key", f"{access} sees only names that begin with {access.prefix}."
    if access.only_tagged and _is_unseen(access, key):
        return "key", f"{access} sees only secrets with {_words(access)}, and {key} was not among them."
    return None


def is_outside(link: ExternalSecret) -> bool:
    """Tell whether a link takes what its access does not see any more; it was made before the access was narrowed."""
    if not link.access.prefix or link.takes == Takes.TAGS:
        return False
    found = wrong(link.access, {"takes": link.takes, "key": link.key})
    return found is not None


def refuses(link: ExternalSecret | None, access: Access, values: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what is wrong with new values; a link that takes the same as before may stay outside."""
    if link is not None and link.access_id == access.pk:
        before = {name: getattr(link, name) for name in TAKEN}
        if all(values.get(name, before[name]) == before[name] for name in TAKEN):
            return None
    return wrong(access, values)


def keep(link: ExternalSecret | None, access: Access, values: Mapping[str, Any]) -> None:
    """Refuse what would take more than the access sees; what a link takes already may stay.

    :raises NotAllowed: with the reason
    """
    if found := refuses(link, access, values):
        raise NotAllowed(found[1])


def _leads_out(key: str) -> bool:
    return any(part in (".", "..") for part in unquote(key).replace("\\", "/").split("/"))


def _of_tags(access: Access, tags: Mapping[str, str]) -> tuple[str, str] | None:
    if access.prefix:
        return "tags", (
            f"{access} sees only names that begin with {access.prefix}, and others may have these tags. "
            "Take secrets by name or by path."
        )
    if access.only_tagged and not access.tags.items() <= tags.items():
        return "tags", f"{access} sees only secrets with {_words(access)}. Name these tags as well."
    return None


def _of_path(access: Access, path: str) -> tuple[str, str] | None:
    start = providers.PROVIDERS[access.provider].references.below.prefix(path)
    if not start.startswith(access.prefix):
        return (
            "below",
            f"{access} sees only names that begin with {access.prefix}. The whole path has to lie there.",
        )
    if access.only_tagged:
        return (
            "below",
            f"{access} sees only secrets with {_words(access)}, and others may lie there. Take secrets by name.",
        )
    return None


def _names(key: str) -> tuple[str, ...]:
    return browsing_uses.candidate_names(key) if browsing_uses.is_reference(key) else (key,)


def _is_unseen(access: Access, key: str) -> bool:
    """Tell whether an inventory that was read whole does not have a name."""
    state = InventoryState.objects.filter(access=access).first()
    if state is None or state.read_at is None or state.truncated:
        return False
    return not InventoryEntry.objects.filter(access=access, name__in=_names(key)).exists()


def _words(access: Access) -> str:
    tags = [f"{name}={value}" for name, value in sorted(access.tags.items())]
    return f"the tag{'' if len(tags) == 1 else 's'} {', '.join(tags)}"
