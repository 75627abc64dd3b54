"""Every place in the database that holds encrypted text, and reading and replacing it there as it is stored."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection

from accounts.encryption.fields import EncryptedTextField

type Turn = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its model's name and its own, and the keys of its object where it is JSON with encrypted texts in it."""

    label: str
    table: str
    key: str
    name: str
    inside: tuple[str, ...] = ()

    def texts(self, value: Any) -> list[str]:
        """Return the encrypted texts of a stored value."""
        return [value[name] for name in self.inside if name in value] if self.inside else [value]

    def turned(self, value: Any, turn: Turn) -> Any:
        """Return a stored value with each of its encrypted texts replaced."""
        if not self.inside:
            return turn(value)
        return value | {name: turn(value[name]) for name in self.inside if name in value}

    def after(self, key: Any, count: int) -> list[tuple[Any, Any]]:
        """Return the next rows as (primary key, stored value), by primary key."""
        where = f'"{self.name}" IS NOT NULL' + (f' AND "{self.key}" > %s' if key is not None else "")
        rows = (
            f'SELECT "{self.key}", "{self.name}" FROM "{self.table}" WHERE {where} '  # noqa: S608  names of our own
            f'ORDER BY "{self.key}" LIMIT {count}'
        )
        with connection.cursor() as cursor:
            cursor.execute(rows, [key] if key is not None else [])
            return [(pk, json.loads(value) if self.inside else value) for pk, value in cursor.fetchall()]

    def replace(self, changes: list[tuple[Any, Any, Any]]) -> None:
        """Write (new value, primary key, old value); a row that somebody changed meanwhile keeps what it has."""
        kind = "::jsonb" if self.inside else ""
        statement = (
            f'UPDATE "{self.table}" SET "{self.name}" = %s{kind} '  # noqa: S608  names of our own
            f'WHERE "{self.key}" = %s AND "{self.name}" = %s{kind}'
        )
        with connection.cursor() as cursor:
            cursor.executemany(statement, [(self._stored(a), pk, self._stored(b)) for a, pk, b in changes])

    def _stored(self, value: Any) -> Any:
        return json.dumps(value) if self.inside else value


def every() -> Iterator[Column]:
    """Yield the columns: of each encrypted field, and of the second factors, which allauth keeps."""
    from allauth.mfa.models import Authenticator

    from accounts.sign_in import factors

    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, EncryptedTextField):
                yield _column(model, str(field.column))
    yield _column(Authenticator, "data", factors.SECRETS)


def _column(model: Any, name: str, inside: tuple[str, ...] = ()) -> Column:
    meta = model._meta
    return Column(meta.label, meta.db_table, meta.pk.column, name, inside)
