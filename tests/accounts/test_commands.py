"""The commands of the one who runs Keyhaven."""

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEvent, Membership
from accounts.sign_in import factors, sessions
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
