"""The audit log: a chain per organization, only added to, in the transaction of the change."""

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.audit import services
from accounts.models import Organization

pytestmark = pytest.mark.django_db


def record(organization, by, **fields):
    return services.record(
        organization=organization, by=by, action="organization.renamed", target=organization, **fields
    )


def tamper(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE accounts_auditevent DISABLE TRIGGER audit_is_append_only")
        cursor.execute(sql, values)
        cursor.execute("ALTER TABLE accounts_auditevent ENABLE TRIGGER audit_is_append_only")


def test_events_form_a_chain(organization, admin):
    first, second = record(organization, admin), record(organization, admin, details={"name": "é"})

    assert (first.sequence, second.sequence) == (1, 2)
    assert first.previous_hash == services.GENESIS
    assert second.previous_hash == first.hash
    assert services.verify(organization) == services.Chain(2, None)


def test_each_organization_has_its_own_chain(organization, admin, outsider):
    other = Organization.objects.get(slug="globex")
    record(organization, admin)

    assert record(other, outsider).sequence == 1


def test_an_edited_event_is_found(organization, admin):
    for _ in range(3):
        record(organization, admin)
    tamper("UPDATE accounts_auditevent SET actor_name = 'Nobody' WHERE sequence = 2")

    assert services.verify(organization).broken_at == 2


def test_the_newest_events_can_be_checked_alone(organization, admin):
    for _ in range(6):
        record(organization, admin)
    tamper("UPDATE accounts_auditevent SET actor_name = 'Nobody' WHERE sequence = 2")

    assert services.verify(organization, newest=3) == services.Chain(3, None)
    assert services.verify(organization, newest=5).broken_at == 2


def test_a_removed_event_is_found(organization, admin):
    for _ in range(3):
        record(organization, admin)
    tamper("DELETE FROM accounts_auditevent WHERE sequence = 2")

    assert services.verify(organization).broken_at == 2


@pytest.mark.parametrize(
    "sql", ["UPDATE accounts_auditevent SET action = 'x'", "DELETE FROM accounts_auditevent"]
)
def test_the_database_refuses_to_change_or_delete(organization, admin, sql):
    record(organization, admin)

    with (
        pytest.raises(DatabaseError, match="never changed"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)


def test_the_model_refuses_as_well(organization, admin):
    event = record(organization, admin)

    with pytest.raises(TypeError):
        event.save()
    with pytest.raises(TypeError):
        event.delete()
