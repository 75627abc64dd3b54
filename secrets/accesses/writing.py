"""Whether secrets may be written through an access, and with which tags; reading only is the default."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from accesses import providers
from accesses.models import Access
from accesses.providers import Provider, Writing
from accesses.providers.references import NotReadable, References
from accounts.audit import services as audit
from accounts.models import User


class NotWritable(ValueError):
    """Nothing can be written through the access. `str()` says why, `remedy` what would make it possible."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.remedy = remedy


def of(access: Access) -> Writing:
    """Return how an access's provider is written to.

    :raises NotWritable: it cannot be, or the access only reads
    """
    provider = providers.PROVIDERS[access.provider]
    writing = provider.writing_of(access)
    if writing is None:
        raise NotWritable(
            f"{provider.label} cannot be written to from here.", "Write there; the console shows what is new."
        )
    if not access.writes:
        raise NotWritable(
            f"{access} only reads.", "Who may manage accesses allows writing on the access's page Writing."
        )
    return writing


def is_possible(access: Access) -> bool:
    """Tell whether secrets may be written through an access."""
    try:
        of(access)
    except NotWritable:
        return False
    return True


def tags_of(access: Access) -> dict[str, str]:
    """Return what a new secret is tagged with: the organization's defaults, over which the access's win."""
    writing = providers.PROVIDERS[access.provider].writing_of(access)
    if writing is None or not writing.tags:
        return {}
    return {**access.cluster.organization.default_tags, **access.tags}


def has_tags(provider: Provider) -> bool:
    """Tell whether a provider's secrets have tags: they are put on what is made, or can be looked for."""
    return bool(provider.writing and provider.writing.tags) or _lists_tags(provider, provider.references)


def _lists_tags(provider: Provider, rules: References) -> bool:
    return rules.tags_listed and not provider.unlisted


def check_default_tags(access: Access, tags: Mapping[str, str]) -> None:
    """Check that an access's secret manager takes these tags, whether or not it may be written through.

    :raises NotReadable: it does not, or has none
    """
    provider = providers.PROVIDERS[access.provider]
    how, rules = provider.writing_of(access), provider.references_of(access)
    written = how is not None and how.tags
    if tags and not (written or _lists_tags(provider, rules)):
        raise NotReadable(rules.no_tags or f"{provider.label} has no tags.")
    if how is not None and written:
        how.check_tags(tags)


def wrong_tags(access: Access) -> str:
    """Return why nothing can be made with the default tags of the organization and the access; empty where it can."""
    try:
        check_default_tags(access, tags_of(access))
    except NotReadable as error:
        return str(error)
    return ""


@transaction.atomic
def allow(*, access: Access, writes: bool, by: User) -> bool:
    """Allow writing through an access, or end it, and return whether that differs from how it was.

    :raises NotWritable: the provider cannot be written to
    """
    provider = providers.PROVIDERS[access.provider]
    if writes and provider.writing is None:
        raise NotWritable(f"{provider.label} cannot be written to from here.")
    live = _locked(access)
    if live.writes == writes:
        return False
    _save(live, writes=writes)
    _record(
        live, "access.writing_allowed" if writes else "access.writing_ended", by, {"provider": live.provider}
    )
    access.writes = writes
    return True


def _locked(access: Access) -> Access:
    rows = Access.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("cluster__organization").get(pk=access.pk)


def _save(access: Access, **values: Any) -> None:
    # Its version counts: a form of the access that somebody opened before is out of date.
    Access.objects.filter(pk=access.pk).update(version=access.version + 1, **values)


def _record(access: Access, action: str, by: User, details: dict[str, Any]) -> None:
    told = {"cluster": access.cluster.name} | details
    audit.record(organization=access.cluster.organization, by=by, action=action, target=access, details=told)
