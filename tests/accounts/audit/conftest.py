"""The log of one organization, and whoever owns the database and means no good."""

import contextlib
import datetime

import pytest
from django.db import connection
from django.utils import timezone

from accounts.audit import services


@pytest.fixture
def record(organization, admin):
    """Return a function that appends events and returns the last."""

    def act(number=1, **fields):
        fields = {"action": "organization.closed", "target": organization, "by": admin} | fields
        for at in range(number):
            event = services.record(
                organization=organization, **{"details": {"number": at, "name": "é"}} | fields
            )
        return event

    return act


@contextlib.contextmanager
def unguarded(*tables):
    """Work with the triggers off, as the owner of the tables can."""
    tables = tables or ("event", "head", "mark", "key", "digest")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE accounts_audit{table} DISABLE TRIGGER USER")
        yield cursor
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE accounts_audit{table} ENABLE TRIGGER USER")


@pytest.fixture
def tamper():
    """Return a function that runs SQL as the database's owner, with all triggers off."""

    def act(*statements):
        with unguarded() as cursor:
            for statement in statements:
                cursor.execute(statement)

    return act


@pytest.fixture
def clock(monkeypatch):
    """Return a function that sets the clock apart from the true time, by so much."""
    true = timezone.now

    def act(**apart):
        monkeypatch.setattr(timezone, "now", lambda: true() + datetime.timedelta(**apart))

    return act
