"""What the worker tells of accesses in the audit log: that one fails or works again, that a credential ends."""

from collections.abc import Iterable

from django.core.cache import cache
from django.db import transaction

from accesses import causes
from accesses.models import Access
from accounts.audit import origin
from accounts.audit import services as audit
from accounts.models import Organization
from accounts.outgoing import turning

KIND = "access"
EXPIRY = "access-expiry"
HOUR = 3600


@transaction.atomic
def turned(organization: Organization, states: Iterable[tuple[Access, bool, str]]) -> None:
    """Tell of the accesses that have turned; `states` are (access, works, why not)."""
    found = {access.pk: (access, well, reason) for access, well, reason in states}
    bad = {pk for pk, (_, well, _) in found.items() if not well}
    turns = turning.observe(organization=organization, kind=KIND, bad=bad, good=found.keys() - bad)
    for pk in sorted(turns.failing):
        access, _, reason = found[pk]
        _tell(access, "access.failing", {"cause": own_words(reason)})
    for pk in sorted(turns.recovered):
        _tell(found[pk][0], "access.recovered", {})


def own_words(reason: str) -> str:
    """Return a cause that is from our table; what the operator says in its own words stays on the page."""
    return (
        "The operator refuses it; its page says why." if causes.said("").strip() in reason else reason[:300]
    )


def _tell(access: Access, action: str, details: dict[str, object]) -> None:
    audit.record(
        organization=access.cluster.organization, by=None, action=action, target=access, details=details
    )


def sweep() -> int:
    """Tell of the credentials that end soon or have ended, at most once an hour; return how many."""
    if not cache.add("access-expiry", 1, timeout=HOUR):
        return 0
    with origin.of_worker("credentials"):
        return tell_of_ends()


def tell_of_ends() -> int:
    """Tell of each credential that ends in 30, 14, 7 or 1 days or has ended, once each; return how many."""
    found = Access.objects.filter(expires_at__isnull=False).select_related("cluster__organization")
    return sum(_tell_of_end(access) for access in found.defer("credential", "result"))


@transaction.atomic
def _tell_of_end(access: Access) -> bool:
    if access.expires_at is None:
        return False
    organization = access.cluster.organization
    left = turning.ending(organization=organization, subject=access.pk, kind=EXPIRY, at=access.expires_at)
    if left is None:
        return False
    details: dict[str, object] = {"ends": access.expires_at.isoformat(timespec="seconds")}
    if left:
        _tell(access, "access.expiring", details | {"days": left})
    else:
        _tell(access, "access.expired", details)
    return True
