"""The regions of Scaleway that have Kapsule."""

from django.conf import settings

from credentials.clouds.base import Facts

REGIONS = {"fr-par": "Paris", "nl-ams": "Amsterdam", "pl-waw": "Warsaw", "it-mil": "Milan"}


def of(facts: Facts) -> str:
    """Return the region in which to look first."""
    return facts.get("region") or "fr-par"


def places(facts: Facts) -> list[tuple[str, str]]:
    """Return the regions as (slug, label), the credential's own first, then as they are listed."""
    found = REGIONS | {name: name for name in settings.EXTRA_REGIONS if name.count("-") == 1}
    return sorted(found.items(), key=lambda one: one[0] != of(facts))
