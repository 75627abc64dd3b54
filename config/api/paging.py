"""Long lists in pages: a cursor is where the last page ended, signed, so that a page costs the same at any depth."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.core import signing
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from pydantic import BaseModel, Field

from config.api import problems

MOST = 200


class Paging(BaseModel):
    """How long a page is, and where it begins."""

    limit: int = Field(50, ge=1, le=MOST, description="How many at most.")
    cursor: str = Field("", max_length=2000, description="`next` of the page before; left out for the first.")


class Page[T](BaseModel):
    """Some of a list, in a stable order."""

    items: list[T]
    next: str | None = Field(description="The cursor of the next page, or null after the last.")


def cut[M: Model, T](
    request: HttpRequest,
    rows: QuerySet[M],
    paging: Paging,
    *,
    by: Sequence[str],
    shape: Callable[[M], T],
) -> Page[T]:
    """Return a page of `rows` ordered by fields that are never null, all with a `-` or none; `pk` breaks ties.

    :raises problems.Problem: the cursor is not one of this list
    """
    down = by[0].startswith("-")
    names = [name.removeprefix("-") for name in (*by, "pk")]
    if paging.cursor:
        rows = rows.filter(_after(names, unseal(request, names, paging.cursor), "lt" if down else "gt"))
    found = list(rows.order_by(*(f"-{name}" if down else name for name in names))[: paging.limit + 1])
    cursor = None
    if len(found) > paging.limit:
        found.pop()
        cursor = seal(request, names, [_value(found[-1], name) for name in names])
    return Page(items=[shape(row) for row in found], next=cursor)


def _salt(request: HttpRequest, names: Sequence[str]) -> str:
    return f"api.cursor:{request.path}:{','.join(names)}"


def seal(request: HttpRequest, names: Sequence[str], values: Sequence[str | int]) -> str:
    """Return the cursor of what comes after some values, and note it for the header Link."""
    cursor = signing.dumps(list(values), salt=_salt(request, names))
    request.api_next = cursor  # type: ignore[attr-defined]
    return cursor


def unseal(request: HttpRequest, names: Sequence[str], cursor: str) -> list[Any]:
    """Return the values of a cursor.

    :raises problems.Problem: the cursor is not one of this list
    """
    try:
        values: list[Any] = signing.loads(cursor, salt=_salt(request, names))
    except signing.BadSignature:
        raise problems.invalid("cursor", "This is not a cursor of this list.") from None
    return values


def _value(row: Model, name: str) -> str | int:
    value: Any = row
    for part in name.split("__"):
        value = getattr(value, part)
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, int) else str(value)


def _after(names: Sequence[str], values: Sequence[Any], beyond: str) -> Q:
    """Return the filter of the rows that come after one: equal in the first fields, beyond it in the next."""
    rule = Q()
    for place, name in enumerate(names):
        same = Q(**dict(zip(names[:place], values[:place], strict=True)))
        rule |= same & Q(**{f"{name}__{beyond}": values[place]})
    return rule
