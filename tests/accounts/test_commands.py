"""The commands of the one who runs Keyhaven."""

import pytest
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from encrypted_model_fields import fields as encrypted

from accounts.models import AuditEvent, Membership
from accounts.sign_in import factors, sessions
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


class TestPerson:
    """Help for somebody who lost a device, and a lock for somebody who is not to come back."""

    def test_all_sessions_end(self, client, admin):
        client.post("/accounts/login/", {"login": admin.email, "password": factories.PASSWORD})
        inside = client.get("/o/acme/clusters/").status_code

        call_command("person", admin.email.upper(), end_sessions=True)

        assert (inside, client.get("/o/acme/clusters/").status_code) == (200, 302)
        assert sessions.of(admin) == []
        assert AuditEvent.objects.filter(action="session.ended", origin="cli").count() == 1

    def test_factors_go_with_their_recovery_codes(self, admin):
        from accounts.profile import services

        services.add_app(user=admin, secret="JBSWY3DPEHPK3PXP", by=admin)

        call_command("person", admin.email, remove_factors=True)

        assert factors.of(admin) == []
        assert AuditEvent.objects.filter(action="second_factor.removed", origin="cli").count() == 1

    def test_an_account_is_disabled_and_enabled(self, client, owner, admin):
        client.force_login(admin)

        call_command("person", admin.email, disable=True)
        out = client.get("/o/acme/clusters/").status_code
        call_command("person", admin.email, enable=True)
        client.force_login(admin)

        assert (out, client.get("/o/acme/clusters/").status_code) == (302, 200)
        assert [event.action for event in AuditEvent.objects.filter(action__startswith="person.")] == [
            "person.enabled",
            "person.disabled",
        ]

    @pytest.mark.django_db(transaction=True)
    def test_the_last_owner_is_not_disabled(self, owner):
        with pytest.raises(CommandError, match="without an owner"):
            call_command("person", owner.email, disable=True)

        owner.refresh_from_db()
        assert owner.is_active

    def test_nobody_is_said(self):
        with pytest.raises(CommandError, match="Nobody has the address"):
            call_command("person", "nobody@example.com", end_sessions=True)
