"""Two roles of the database: one owns the tables and migrates, the other is the application's and may only append.

DATABASE_URL names the application's, DATABASE_OWNER_URL the owner's. With one role for both the triggers still refuse,
but whoever has the application's password could take them away first.
"""

import contextlib
from collections.abc import Iterator

from django.conf import settings
from django.db import connection
from psycopg import sql

# What the application may do to the tables of the log; nothing else.
RIGHTS = {
    "accounts_auditevent": ("SELECT", "INSERT"),
    "accounts_audithead": ("SELECT",),
    "accounts_auditmark": ("SELECT",),
    "accounts_auditkey": ("SELECT", "INSERT"),
    "accounts_auditdigest": ("SELECT", "INSERT"),
}
READ_ONLY = ("django_migrations",)
_EVERYWHERE = ("SELECT", "INSERT", "UPDATE", "DELETE")
_FUNCTIONS = "audit_head(bigint), audit_prune(bigint, integer)"


@contextlib.contextmanager
def as_owner() -> Iterator[bool]:
    """Work as the owner of the tables where DATABASE_OWNER_URL names one; yields whether it does."""
    owner = settings.OWNER_DATABASE
    if owner is None:
        yield False
        return
    usual = connection.settings_dict
    connection.close()
    connection.settings_dict = usual | owner
    try:
        yield True
    finally:
        connection.close()
        connection.settings_dict = usual


def application_role() -> str:
    """Return the role that DATABASE_URL connects as."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        return str(cursor.fetchone()[0])


def statements(role: str) -> list[sql.Composed]:
    """Return what gives a role the application's rights and takes away all others."""
    name = sql.Identifier(role)
    everything = sql.SQL(", ").join(sql.SQL(right) for right in _EVERYWHERE)
    given = [
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name),
        sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {}").format(name),
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(name),
        sql.SQL("GRANT {} ON ALL TABLES IN SCHEMA public TO {}").format(everything, name),
        sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(name),
    ]
    for table, rights in {**RIGHTS, **dict.fromkeys(READ_ONLY, ("SELECT",))}.items():
        some = sql.SQL(", ").join(sql.SQL(right) for right in rights)
        given.append(sql.SQL("REVOKE ALL ON {} FROM {}").format(sql.Identifier(table), name))
        given.append(sql.SQL("GRANT {} ON {} TO {}").format(some, sql.Identifier(table), name))
    functions = sql.SQL(_FUNCTIONS)
    given.append(sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(functions))
    given.append(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(functions, name))
    return given


def grant(role: str) -> None:
    """Give a role the application's rights; the connection is the owner's."""
    with connection.cursor() as cursor:
        for statement in statements(role):
            cursor.execute(statement)


def is_complete() -> bool:
    """Tell whether the tables and functions of the log are there: an older state of the schema has not all of them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('audit_prune(bigint, integer)') IS NOT NULL")
        return bool(cursor.fetchone()[0])


_ASK = """
SELECT r.rolsuper,
       pg_has_role(current_user, c.relowner, 'MEMBER'),
       has_table_privilege(current_user, c.oid, 'UPDATE') OR has_any_column_privilege(current_user, c.oid, 'UPDATE'),
       has_table_privilege(current_user, c.oid, 'DELETE'),
       has_table_privilege(current_user, c.oid, 'TRUNCATE'),
       has_table_privilege(current_user, c.oid, 'TRIGGER')
FROM pg_class c, pg_roles r
WHERE c.oid = to_regclass('accounts_auditevent') AND r.rolname = current_user
"""
_SAID = (
    "is a superuser",
    "owns the table",
    "may update events",
    "may delete events",
    "may empty the table",
    "may make triggers on it",
)


def weaknesses() -> list[str]:
    """Return what the connected role may do to the log beyond appending; nothing where there is no log yet."""
    with connection.cursor() as cursor:
        cursor.execute(_ASK)
        row = cursor.fetchone()
    held = [said for said, has in zip(_SAID, row or (), strict=False) if has]
    # Who owns it, or all, has every right by that.
    return held[:1] if held[:1] in (["is a superuser"], ["owns the table"]) else held
