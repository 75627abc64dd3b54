"""What is found when a cluster is looked at, each with what to do about it, and what all of it amounts to."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from clusters.models import Health

type Level = Literal["ok", "warning", "bad", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `detail` says how it is in words that stay the same while nothing changes."""

    slug: str
    level: Level
    label: str
    detail: str
    remedy: str = ""

    def facts(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def amount_to(findings: Iterable[Finding]) -> Health.Level:
    """Return what findings of a cluster that answers amount to; what is not known does no harm."""
    return (
        Health.Level.DEGRADED
        if any(one.level in ("bad", "warning") for one in findings)
        else Health.Level.READY
    )
