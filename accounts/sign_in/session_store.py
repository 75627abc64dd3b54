"""Sessions in the database; one query reads a session and the person whose it is, since each request asks for both."""

import functools
from typing import Any

from django.contrib.sessions.backends import db
from django.db import connection
from django.utils import timezone

from accounts.organizations.models import User


class SessionStore(db.SessionStore):
    """Django's, which `Backend.get_user` finds the person in; what a session is good for, Django checks as ever."""

    # Whose the list of sessions says that it is; None where it says nothing.
    person: User | None = None

    def load(self) -> dict[str, Any]:
        """Return what the session holds, nothing when it is over, and note the person as the database has it now."""
        with connection.cursor() as cursor:
            cursor.execute(_query(), [self.session_key, timezone.now()])
            row = cursor.fetchone()
        if row is None:
            self._session_key = None
            return {}
        data, *columns = row
        self.person = User.from_db(connection.alias, _names(), columns) if columns[0] is not None else None
        held: dict[str, Any] = self.decode(data)
        return held


@functools.cache
def _names() -> list[str]:
    return [field.attname for field in User._meta.concrete_fields]


@functools.cache
def _query() -> str:
    columns = ", ".join(f"person.{field.column}" for field in User._meta.concrete_fields)
    return (
        f"SELECT session.session_data, {columns} FROM django_session session"  # noqa: S608 our own names
        " LEFT JOIN usersessions_usersession listed ON listed.session_key = session.session_key"
        " LEFT JOIN accounts_user person ON person.id = listed.user_id"
        " WHERE session.session_key = %s AND session.expire_date > %s"
    )
