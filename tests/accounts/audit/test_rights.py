"""The application's role of the database appends to the log, and can do nothing else to it; the triggers hold for all."""

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from psycopg import sql

from accounts.audit import rights, services
from tests import factories

TABLES = [f"accounts_audit{name}" for name in ("event", "head", "mark", "key", "digest")]


@pytest.fixture
def role(transactional_db):
    """The application's role, with its rights in this database, and a log of one organization."""
    organization = factories.make_organization(name="Acme", slug="acme")
    for _ in range(3):
        services.record(organization=organization, by=None, action="organization.closed", target=organization)
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS audit_tests")
        cursor.execute("CREATE ROLE audit_tests LOGIN")
    rights.grant("audit_tests")
    yield "audit_tests"
    with connection.cursor() as cursor:
        cursor.execute("DROP OWNED BY audit_tests")
        cursor.execute("DROP ROLE audit_tests")


@pytest.fixture
def application(role):
    """A connection as the application's role."""
    given = connection.get_connection_params()
    with psycopg.connect(
        host=given.get("host"), port=given.get("port"), dbname=given["dbname"], user=role, autocommit=True
    ) as opened:
        yield opened


REFUSED = [
    "UPDATE accounts_auditevent SET actor_name = 'Nobody'",
    "DELETE FROM accounts_auditevent",
    "TRUNCATE accounts_auditevent CASCADE",
    "DROP TABLE accounts_auditevent CASCADE",
    "ALTER TABLE accounts_auditevent DISABLE TRIGGER ALL",
    "DROP TRIGGER audit_is_append_only ON accounts_auditevent",
    "SET session_replication_role = replica",
    "CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "ALTER FUNCTION audit_prune(bigint, integer) OWNER TO audit_tests",
    "CREATE TABLE public.mine (id integer)",
    "SET ROLE postgres",
    "UPDATE accounts_audithead SET sequence = 0",
    "DELETE FROM accounts_audithead",
    "INSERT INTO accounts_auditmark (organization_id, through_sequence, hash, events, newest_at, days, at)"
    " SELECT id, 3, '', 3, now(), 30, now() FROM accounts_organization",
    "UPDATE accounts_auditdigest SET hash = ''",
    "DELETE FROM accounts_auditkey",
    "MERGE INTO accounts_auditevent e USING accounts_organization o ON true WHEN MATCHED THEN DELETE",
    "DELETE FROM accounts_organization",
]


@pytest.mark.django_db(transaction=True)
def test_the_application_cannot_change_the_log(application):
    before = application.execute("SELECT * FROM accounts_auditevent ORDER BY id").fetchall()
    succeeded = []

    for statement in REFUSED:
        try:
            application.execute(statement)
        except psycopg.Error:
            continue
        succeeded.append(statement)

    assert succeeded == []
    assert application.execute("SELECT * FROM accounts_auditevent ORDER BY id").fetchall() == before
    assert len(before) == 3


@pytest.mark.django_db(transaction=True)
def test_the_application_can_append(application):
    (organization,) = application.execute("SELECT id FROM accounts_organization").fetchone()
    head = application.execute("SELECT sequence, hash FROM audit_head(%s)", [organization]).fetchone()

    application.execute(
        "INSERT INTO accounts_auditevent SELECT (e).* FROM (SELECT jsonb_populate_record(e, jsonb_build_object("
        "'id', 999, 'sequence', e.sequence + 1, 'previous_hash', e.hash, 'hash', repeat('a', 64), 'at', now()))"
        " AS e FROM accounts_auditevent e WHERE sequence = %s) made",
        [head[0]],
    )

    assert application.execute("SELECT sequence FROM accounts_audithead").fetchone() == (4,)


@pytest.mark.django_db(transaction=True)
def test_nobody_puts_an_event_in_where_none_follows(application):
    usual = "'id', 999, 'sequence', 4, 'previous_hash', e.hash, 'hash', repeat('a', 64), 'at', now()"
    changes = (
        "'sequence', 2", "'sequence', 9", "'previous_hash', repeat('0', 64)", "'at', now() - interval '1 day'",
    )  # fmt: skip

    for change in changes:
        with pytest.raises(psycopg.Error, match="only follows the newest one"):
            application.execute(
                "INSERT INTO accounts_auditevent SELECT (e).* FROM (SELECT jsonb_populate_record(e, jsonb_build_object("
                f"{usual}) || jsonb_build_object({change})) AS e FROM accounts_auditevent e WHERE sequence = 3) made"
            )


@pytest.mark.django_db(transaction=True)
def test_the_application_reads_and_writes_everything_else(application):
    tables = {
        name for (name,) in application.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }

    may = {
        table: [
            right
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "REFERENCES")
            if application.execute("SELECT has_table_privilege(%s, %s)", [table, right]).fetchone()[0]
        ]
        for table in tables
    }

    assert {table: may.pop(table) for table in TABLES} == {
        table: list(rights.RIGHTS[table]) for table in TABLES
    }
    assert may.pop("django_migrations") == ["SELECT"]
    assert set(map(tuple, may.values())) == {("SELECT", "INSERT", "UPDATE", "DELETE")}


@pytest.mark.django_db(transaction=True)
def test_the_triggers_refuse_the_owner_as_well(role):
    ways = {"UPDATE {0} SET {1} = 'x'", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"}
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_auditkey VALUES ('k', 'k', now());"
            "INSERT INTO accounts_auditmark (organization_id, through_sequence, hash, events, newest_at, days, at)"
            " SELECT id, 0, '', 0, now(), 30, now() FROM accounts_organization;"
            "INSERT INTO accounts_auditdigest (organization_id, day, through_sequence, hash, events, previous_signature,"
            " key_id, signature) SELECT id, now(), 1, '', 1, '', 'k', '' FROM accounts_organization"
        )
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER audit_is_not_emptied")
        for table, way in ((table, way) for table in TABLES for way in ways):
            statement = way.format(table, "public_key" if table.endswith("key") else "hash")
            with pytest.raises(DatabaseError, match=r"never changed|only moves on"), transaction.atomic():
                cursor.execute(statement)
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER audit_is_not_emptied")


@pytest.mark.django_db(transaction=True)
def test_the_check_says_what_the_role_could_do(role):
    from accounts.audit.checks import the_application_only_appends

    assert [one.id for one in the_application_only_appends()] == ["keyhaven.W001"]
    connection.close()
    usual = connection.settings_dict
    connection.settings_dict = usual | {"USER": role}
    try:
        assert the_application_only_appends() == []
    finally:
        connection.close()
        connection.settings_dict = usual


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("UPDATE (hash)", "may update events"),
        ("DELETE", "may delete events"),
        ("TRUNCATE", "may empty the table"),
    ],
)
def test_the_check_names_each_right_that_is_too_much(role, given, said):
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("GRANT {} ON accounts_auditevent TO audit_tests").format(sql.SQL(given)))
        cursor.execute("SET ROLE audit_tests")
        try:
            assert rights.weaknesses() == [said]
        finally:
            cursor.execute("RESET ROLE")
    rights.grant("audit_tests")
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE audit_tests")
        assert rights.weaknesses() == []
        cursor.execute("RESET ROLE")
