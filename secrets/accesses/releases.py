"""The minors of the External Secrets Operator that Keyhaven knows, and which of them comes next.

The operator's own advice is to go one minor at a time; nothing here goes beyond OPERATOR_CHART_VERSION.
"""

import re
from dataclasses import dataclass, replace

from django.conf import settings

NOTHING = "Nothing that Keyhaven uses changed."


@dataclass(frozen=True, slots=True)
class Release:
    """A minor: the chart version to install, what is new, what breaks, what to check before.

    `kubernetes` are the versions that it is tested with, or empty where that is not known.
    """

    minor: str
    chart: str
    changed: str = NOTHING
    breaks: str = NOTHING
    check: str = NOTHING
    kubernetes: str = ""


RELEASES: tuple[Release, ...] = (
    Release(
        "2.4",
        "2.4.1",
        changed="2.4.1 fixes CVE-2026-42876: a template could make a Secret with a service account's token.",
        check="Take 2.4.1 or newer; Keyhaven refuses what is older.",
        kubernetes="1.34 to 1.35",
    ),
    Release(
        "2.5",
        "2.5.0",
        changed="Stores of AWS can send session tags (sessionTagsPolicy).",
        kubernetes="1.34 to 1.35",
    ),
    Release("2.6", "2.6.0", kubernetes="1.34 to 1.35"),
    Release("2.7", "2.7.0", changed="External secrets can have syncWindows."),
    Release(
        "2.8",
        "2.8.0",
        changed="The creationPolicy CreateOrMerge is new, and a store's refreshInterval is a string or an integer.",
        kubernetes="1.35 to 1.36",
    ),
    Release(
        "2.9",
        "2.9.0",
        changed="The API server no longer fills in the conversion, decoding, metadata and null byte policies, "
        "which ends a difference that Argo CD showed for ever.",
        kubernetes="1.36",
    ),
)


def numbers(version: str) -> tuple[int, ...] | None:
    """Return a version such as `v2.9.0` as numbers, or None when it is none."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    return tuple(int(number) for number in found.groups()) if found else None


def next_after(version: str) -> Release | None:
    """Return the minor that follows a version, or None: it is unknown, or would be beyond the pin."""
    pin, now = numbers(settings.OPERATOR_CHART_VERSION), numbers(version)
    if pin is None or now is None or now[:2] >= pin[:2]:
        return None
    wanted = f"{now[0]}.{now[1] + 1}"
    found = next((release for release in RELEASES if release.minor == wanted), None)
    at_the_pin = found is not None and wanted == f"{pin[0]}.{pin[1]}"
    return replace(found, chart=settings.OPERATOR_CHART_VERSION) if found and at_the_pin else found
