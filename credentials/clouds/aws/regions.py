"""AWS's regions with the names of their places, from the SDK's own list."""

import functools
import re

from django.conf import settings

# partition → (its label, a region that every account of it has)
PARTITIONS = {
    "aws": ("AWS", "us-east-1"),
    "aws-cn": ("AWS China", "cn-north-1"),
    "aws-us-gov": ("AWS GovCloud (US)", "us-gov-west-1"),
    "aws-eusc": ("AWS European Sovereign Cloud", "eusc-de-east-1"),
}

# Partitions differ (us-gov-east-1, eusc-de-east-1), and new regions come every year.
SHAPE = re.compile(r"[a-z]{2,5}(?:-[a-z]{2,12}){1,2}-\d")


@functools.cache
def _partitions() -> list[dict[str, object]]:
    from botocore import loaders

    found: list[dict[str, object]] = loaders.create_loader().load_data("endpoints")["partitions"]
    return found


@functools.cache
def served(service: str) -> dict[str, str]:
    """Return the regions where a service is, for example `{"eu-west-3": "Europe (Paris)"}`, sorted."""
    found: dict[str, str] = {}
    for partition in _partitions():
        names: dict[str, dict[str, str]] = partition["regions"]  # type: ignore[assignment]
        services: dict[str, dict[str, dict[str, object]]] = partition["services"]  # type: ignore[assignment]
        endpoints = services.get(service, {}).get("endpoints", {})
        found |= {region: names[region]["description"] for region in endpoints if region in names}
    found |= {region: "" for region in settings.EXTRA_REGIONS if SHAPE.fullmatch(region)}
    return dict(sorted(found.items()))


def partition_of(region: str) -> str:
    """Return the partition that a region belongs to: `aws`, `aws-cn`, `aws-us-gov`, …"""
    for partition in _partitions():
        if re.fullmatch(str(partition["regionRegex"]), region):
            return str(partition["partition"])
    return "aws"


def city(service: str, region: str) -> str:
    """Return a region as a person reads it: `Europe (Paris), eu-west-3`."""
    name = served(service).get(region, "")
    return f"{name}, {region}" if name else region
