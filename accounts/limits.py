"""Sets of names by what they begin with, and the look-up that asks an array for one name that fits."""

from typing import TYPE_CHECKING, Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Lookup

if TYPE_CHECKING:
    _Lookup = Lookup[Any]
else:
    _Lookup = Lookup

# Every name begins with nothing.
whole: tuple[str, ...] = ("",)


def shared(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """Return the beginnings of the names that are in both sets; no one begins with another, and they are in order."""
    longer = {max(one, other, key=len) for one in some for other in others if _meet(one, other)}
    found: list[str] = []
    for prefix in sorted(longer):
        if not (found and prefix.startswith(found[-1])):
            found.append(prefix)
    return tuple(found)


def _meet(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


@ArrayField.register_lookup
class SomeMatch(_Lookup):
    """An array of names has one that matches every one of the expressions on the right."""

    lookup_name = "some_match"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, parameters = self.process_lhs(compiler, connection)
        wanted = " AND ".join(["one ~ %s"] * len(self.rhs))
        # Only places of values.
        found = f"EXISTS (SELECT 1 FROM unnest({left}) AS one WHERE {wanted})"  # noqa: S608
        return found, (*parameters, *self.rhs)
