"""The commands of the one who runs Keyhaven."""

import pytest
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from encrypted_model_fields import fields as encrypted

from accounts.models import AuditEvent, Membership
from clusters.models import Cluster
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def typed(monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda prompt: "a long and unusual password")


def create(slug="acme", owner="marie@acme.example"):
    call_command("create_organization", "Acme", slug=slug, owner=owner, name="Marie Rey")


def test_the_first_owner_is_made(typed):
    create()

    membership = Membership.objects.get()
    assert (membership.user.email, membership.roles) == ("marie@acme.example", ["owner"])
    assert membership.user.check_password("a long and unusual password")
    assert AuditEvent.objects.get().action == "organization.created"


@pytest.mark.parametrize("bad", [{"slug": "A b"}, {"owner": "nobody"}])
def test_nonsense_is_refused_and_nothing_is_made(typed, bad):
    with pytest.raises(CommandError):
        create(**bad)

    assert not Membership.objects.exists()


def test_a_weak_password_is_refused(monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda prompt: "12345")

    with pytest.raises(CommandError, match="too short"):
        create()


def test_values_are_written_with_the_newest_key(monkeypatch):
    cluster = factories.make_cluster(kubeconfig="kept")
    new = Fernet(b"MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=")
    both = MultiFernet([new, *(Fernet(key) for key in settings.FIELD_ENCRYPTION_KEY)])
    monkeypatch.setattr(encrypted, "CRYPTER", both)

    call_command("reencrypt")

    monkeypatch.setattr(encrypted, "CRYPTER", new)
    assert Cluster.objects.get(pk=cluster.pk).kubeconfig == "kept"
    with connection.cursor() as cursor:
        cursor.execute("SELECT kubeconfig FROM clusters_cluster")
        assert "kept" not in cursor.fetchone()[0]
