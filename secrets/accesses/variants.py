"""Second stores of an access: for the secrets that are read elsewhere, as another role, or with another audience."""

import uuid
from collections.abc import Mapping

from django.db.models import Prefetch, QuerySet

from accesses import providers
from accesses.models import Access, StoreVariant
from accesses.providers.references import OVERRIDES


def planned(access: Access, *, region: str = "", role_arn: str = "", audience: str = "") -> StoreVariant:
    """Return the variant that these overrides have or will have, unsaved: its names are known before it is made."""
    content = "\n".join((str(access.pk), region, role_arn, audience))
    return StoreVariant(
        id=uuid.uuid5(access.pk, content), access=access, region=region, role_arn=role_arn, audience=audience
    )


def use(access: Access, *, region: str = "", role_arn: str = "", audience: str = "") -> StoreVariant | None:
    """Return the variant of an access with these overrides, made where there is none; None when nothing differs.

    What equals the access's own is no override.

    :raises ValidationError: one is none
    """
    typed = {"region": region, "role_arn": role_arn, "audience": audience}
    references = providers.PROVIDERS[access.provider].references_of(access)
    values = {name: references.clean_override(access, name, value) for name, value in typed.items()}
    if not any(values.values()):
        return None
    found, _ = StoreVariant.objects.get_or_create(
        access=access, **values, defaults={"id": planned(access, **values).pk}
    )
    return found


def of(variant: StoreVariant | None) -> dict[str, str]:
    """Return what a variant overrides, without what is empty."""
    return {name: value for name in OVERRIDES if (value := getattr(variant, name, ""))}


def why_not(access: Access, overrides: Mapping[str, str]) -> str:
    """Return why an access cannot be used with these overrides, or an empty string when it can."""
    reasons = providers.PROVIDERS[access.provider].references_of(access).overrides(access)
    return next((reasons[name] for name, value in overrides.items() if value and reasons[name]), "")


def in_use(access: Access) -> QuerySet[StoreVariant]:
    """Return the variants of an access that links use, oldest first; only these have a store."""
    return access.variants.filter(external_secrets__isnull=False).distinct().order_by("created_at", "pk")


def used(access: Access) -> list[StoreVariant]:
    """Return the variants that links use, each with this access, without a query where `prefetch` was."""
    found: list[StoreVariant] | None = getattr(access, "used_variants", None)
    if found is None:
        found = list(in_use(access)) if access._state.db else []
    for one in found:
        one.access = access
    return found


def prefetch() -> "Prefetch[str, QuerySet[StoreVariant], str]":
    """Return what makes `used` of many accesses one query."""
    rows = StoreVariant.objects.filter(external_secrets__isnull=False).distinct()
    return Prefetch("variants", queryset=rows.order_by("created_at", "pk"), to_attr="used_variants")


def sweep(access: Access) -> int:
    """Delete the variants of an access that no link uses; return how many. Their stores go with the next deploy."""
    return access.variants.filter(external_secrets__isnull=True).delete()[0]
