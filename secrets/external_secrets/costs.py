"""What links cost: calls to the secret manager in a month, money where the list price is known, and quotas near.

Everything here is “about”: prices and quotas are the vendors' published ones, which an agreement may change.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from external_secrets.models import ExternalSecret

MONTH_SECONDS = 30 * 24 * 3600
# From this share of a quota on it is said; others read in the same account too.
NEAR = 0.25
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tariff:
    """How one secret manager counts: its page sizes, its price of 10,000 calls, its quota in calls a second.

    `price` None is unknown. `batched` says that a page of “find by path” brings the values too, so that only pages
    count; `quota` 0 is one that nobody comes near.
    """

    slug: str
    price: Decimal | None = None
    page: int = 100
    batched: bool = False
    quota: int = 0
    quota_words: str = ""
    note: str = ""


_TARIFFS = {
    one.slug: one
    for one in (
        # A batch makes a log entry of each secret in it; each is counted here, beside the page that brings it.
        Tariff("aws-secrets-manager", Decimal("0.05"), page=20),
        Tariff(
            "aws-parameter-store",
            _NOTHING,
            page=10,
            batched=True,
            quota=40,
            quota_words="Parameter Store answers 40 reads a second in an account and region",
            note="for standard parameters; advanced ones and higher throughput about $0.05 per 10,000 calls",
        ),
        Tariff(
            "gcp-secret-manager",
            Decimal("0.03"),
            quota=1500,
            quota_words="Secret Manager answers 90,000 reads a minute in a project",
        ),
    )
}
_UNKNOWN = Tariff("")
KMS_PRICE = Decimal("0.03")


@dataclass(frozen=True, slots=True)
class Cost:
    """`dollars_per_month` None is unknown. `warnings` are sentences about quotas, at most one for each access."""

    calls_per_month: int
    dollars_per_month: Decimal | None
    text: str
    warnings: tuple[str, ...] = ()


def of(link: ExternalSecret, *, found: int | None = None, kms: bool = False) -> Cost:
    """Return what one link costs; of several secrets, `found` is how many they are, else as many as were seen.

    `kms` says that a key of one's own encrypts them: each read is then a request of KMS too.
    """
    if link.alias_of_id is not None:
        return Cost(0, _NOTHING, "No calls of its own: it is another name for a value that is read already.")
    tariff = _tariff(link)
    calls = _per_refresh(link, tariff, found) * MONTH_SECONDS // link.refresh_seconds
    dollars = _dollars(tariff, calls, kms)
    at_least = _is_open(link, found)
    warnings = _warnings({link.access_id: [(link, calls)]})
    return Cost(calls, dollars, _text(calls, dollars, tariff.note, at_least=at_least), warnings)


def total(links: Iterable[ExternalSecret], *, counts: Mapping[object, int] | None = None) -> Cost:
    """Return what links cost together; `counts` tells by a link's id how many secrets it finds.

    A link of a whole namespace counts once, however many services use it: the operator reads it once. The links come
    with their accesses, or each asks for its own.
    """
    by_access: dict[object, list[tuple[ExternalSecret, int]]] = {}
    dollars: Decimal | None = _NOTHING
    notes: Counter[str] = Counter()
    at_least = False
    for link in links:
        found = (counts or {}).get(link.pk)
        cost = of(link, found=found)
        by_access.setdefault(link.access_id, []).append((link, cost.calls_per_month))
        known = dollars is not None and cost.dollars_per_month is not None
        dollars = (dollars or _NOTHING) + (cost.dollars_per_month or _NOTHING) if known else None
        notes[_tariff(link).note] += 1
        at_least = at_least or _is_open(link, found)
    calls = sum(each for made in by_access.values() for _, each in made)
    note = next(iter(notes), "") if len(notes) == 1 else ""
    text = _text(calls, dollars, note, at_least=at_least)
    return Cost(calls, dollars, text, _warnings(by_access))


def listing(provider: str, *, names: int, every_seconds: int, page: int = 0) -> Cost:
    """Return what the console's own reading of an inventory costs: `names` of them, whole, every so often."""
    tariff = _TARIFFS.get(provider, _UNKNOWN)
    size = page or {"aws-parameter-store": 50}.get(provider, 100)
    calls = _pages(names, size) * MONTH_SECONDS // every_seconds
    # Google takes nothing for listing.
    dollars = _NOTHING if provider == "gcp-secret-manager" else _dollars(tariff, calls, kms=False)
    return Cost(calls, dollars, _text(calls, dollars, ""))


def _tariff(link: ExternalSecret) -> Tariff:
    return _TARIFFS.get(link.access.provider, _UNKNOWN)


def _is_open(link: ExternalSecret, found: int | None) -> bool:
    """Tell whether nobody knows how many secrets a link finds."""
    several = link.takes in (ExternalSecret.Takes.PATH, ExternalSecret.Takes.TAGS)
    return several and found is None and not link.seen_keys


def _pages(count: int, size: int) -> int:
    return max(1, -(-count // size))


def _per_refresh(link: ExternalSecret, tariff: Tariff, found: int | None) -> int:
    """Return how often the secret manager is asked for one refresh of a link."""
    if link.takes in (ExternalSecret.Takes.VALUE, ExternalSecret.Takes.KEYS):
        return 1
    count = len(link.seen_keys) if found is None else found
    if link.takes == ExternalSecret.Takes.PATH and tariff.batched:
        return _pages(count, tariff.page)
    return _pages(count, tariff.page) + max(count, 1)


def _dollars(tariff: Tariff, calls: int, kms: bool) -> Decimal | None:
    if tariff.price is None:
        return None
    return calls * (tariff.price + (KMS_PRICE if kms else _NOTHING)) / 10_000


def _text(calls: int, dollars: Decimal | None, note: str, *, at_least: bool = False) -> str:
    """Return one line, without a full stop: it stands in tables and in sentences."""
    if not calls:
        return "No calls"
    about = "At least" if at_least else "About"
    counted = f"{about} {calls:,} call{'' if calls == 1 else 's'} a month"
    if dollars is None:
        return f"{counted}; the price is the secret manager's"
    return f"{counted}, {money(dollars)}{f' {note}' if note else ''}"


def money(dollars: Decimal) -> str:
    """Return an amount as it is said: `about $1.80`."""
    if not dollars:
        return "nothing to pay"
    return "less than $0.01" if dollars < Decimal("0.01") else f"about ${dollars:,.2f}"


def _warnings(by_access: Mapping[object, list[tuple[ExternalSecret, int]]]) -> tuple[str, ...]:
    found = []
    for made in by_access.values():
        access, tariff = made[0][0].access, _tariff(made[0][0])
        a_second = sum(calls for _, calls in made) / MONTH_SECONDS
        # Those of one interval come together, whatever their average: it is refreshed in one breath.
        together = max((calls * link.refresh_seconds // MONTH_SECONDS for link, calls in made), default=0)
        if tariff.quota and a_second >= tariff.quota * NEAR:
            asked = f"{a_second:,.0f} a second on average" if a_second >= 1 else "less than 1 a second"
            found.append(
                f"{tariff.quota_words}, and {access} is asked {asked}. "
                "A longer refresh interval, or one JSON secret of many keys, asks less."
            )
        elif tariff.quota and together > tariff.quota:
            found.append(
                f"{tariff.quota_words}, and one refresh of {access} asks for {together:,} at once. "
                "It is slowed down; a narrower path or tag asks less."
            )
    return tuple(found)
