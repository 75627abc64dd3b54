"""What the links of an access read as its own role: the least that a policy has to allow."""

from typing import Any

from django.db.models import QuerySet

from accesses.models import Access
from accesses.setup.policies import Linked


def of(access: Access) -> list[Linked]:
    """Return what is read, in the region where it is; what another role reads is that role's matter."""
    rows = _own(access).values_list("takes", "key", "tags", "variant__region")
    return [Linked(takes, key, tags, region or "") for takes, key, tags, region in rows]


def takes_several(access: Access) -> bool:
    """Tell whether some link finds secrets by their beginning or their tags, which needs actions of its own."""
    return _own(access).filter(takes__in=("path", "tags")).exists()


def _own(access: Access) -> QuerySet[Any]:
    rows = access.external_secrets.filter(alias_of=None).order_by("key", "pk")
    return rows.exclude(variant__role_arn__gt="")
