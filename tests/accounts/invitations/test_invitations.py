"""Invitations: hashed, single use, for a time; and no telling who has an account."""

import datetime
import smtplib
import threading

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import close_old_connections, connection
from django.utils import timezone

from accounts import delegation
from accounts.invitations import mailing, services
from accounts.models import AuditEvent, Invitation, Membership, User
from tests import factories

PASSWORD = "a long and unusual one"


def member(user):
    return user.memberships.get()


def invite(by, email="guest@example.com", roles=("viewer",), days=7):
    acme = member(by)
    return services.invite(
        organization=acme.organization,
        email=email,
        roles=roles,
        custom_roles=[],
        days=days,
        by=by,
        authority=acme.authority,
    )


def shown(client, token):
    return client.get(f"/join/{token}/", follow=True)


@pytest.fixture
def no_mail(monkeypatch):
    """The mail server does not answer."""

    def fail(*args, **kwargs):
        raise smtplib.SMTPServerDisconnected

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", fail)


@pytest.mark.django_db
class TestInviting:
    def test_by_mail(self, sign_in, organization, owner):
        response = sign_in(owner).post(
            "/o/acme/team/invite/",
            {"how": "email", "email": "Guest@Example.com", "roles": ["viewer"], "days": "30"},
        )

        made = Invitation.objects.get()
        (sent,) = mail.outbox
        token = sent.body.split("/join/")[1].split("/")[0]
        assert response.status_code == 302
        assert (made.email, sent.to, made.sent_at is not None) == (
            "guest@example.com", ["guest@example.com"], True,
        )  # fmt: skip
        assert made.digest == services.digest(token)
        assert 29 < (made.expires_at - timezone.now()).total_seconds() / 86400 <= 30
        event = AuditEvent.objects.get()
        assert (event.action, event.details) == (
            "invitation.sent", {"email": "guest@example.com", "roles": ["Viewer"], "days": 30},
        )  # fmt: skip
        assert token not in str(vars(made)) + str(event.details) + response.content.decode()

    def test_the_least_role_is_chosen_before_anything_else_is(self, sign_in, organization, owner):
        page = sign_in(owner).get("/o/acme/team/invite/").content.decode()

        checked = [line for line in page.split("<input") if 'name="roles"' in line and "checked" in line]
        assert len(checked) == 1
        assert 'value="viewer"' in checked[0]

    def test_a_mail_that_could_not_be_sent_is_said_and_the_link_shown_once(
        self, sign_in, organization, owner, no_mail
    ):
        client = sign_in(owner)
        response = client.post(
            "/o/acme/team/invite/",
            {"how": "email", "email": "g@example.com", "roles": ["viewer"], "days": "7"},
        )

        page = response.content.decode()
        token = page.split("/join/")[1].split("/")[0]
        assert "The mail could not be sent" in page
        assert services.find(services.digest(token)).email == "g@example.com"
        assert "/join/" not in client.get("/o/acme/team/").content.decode()

    def test_a_link_is_shown_once_and_sent_to_nobody(self, sign_in, organization, owner):
        page = sign_in(owner).post(
            "/o/acme/team/invite/", {"how": "link", "email": "", "roles": ["viewer"], "days": "1"}
        )

        assert page.content.decode().count("/join/") >= 1
        assert mail.outbox == []

    def test_whether_an_address_has_an_account_makes_no_difference(self, sign_in, organization, owner):
        known = factories.make_user(email="known@example.com")
        client, answers = sign_in(owner), []
        for email in (known.email, "nobody@example.com"):
            form = {"how": "email", "email": email, "roles": ["viewer"], "days": "7"}
            response = client.post("/o/acme/team/invite/", form)
            answers.append((response.status_code, response.headers["Location"]))
            told = client.get("/o/acme/team/").content.decode().replace(email, "…")
            answers.append(told.count("…"))
            client.post(f"/o/acme/team/invitations/{Invitation.objects.get().pk}/revoke/")
            Invitation.objects.all().delete()

        assert answers[:2] == answers[2:]
        first, second = (message.body.partition("/join/")[0] for message in mail.outbox)
        assert first == second

    def test_members_and_those_who_are_invited_are_not_invited_again(self, organization, owner, viewer):
        invite(owner)

        for email in ("guest@example.com", viewer.email):
            with pytest.raises(services.NotPossible):
                invite(owner, email)

    def test_nobody_invites_to_more_than_they_hold(self, organization, admin):
        with pytest.raises(delegation.MoreThanHeld):
            invite(admin, roles=("owner",))

        made = invite(admin, roles=("admin",))
        manager = factories.make_role(organization, permissions=["member:view", "member:manage"])
        person = factories.make_member(organization, "viewer")
        member(person).custom_roles.add(manager)
        for act in (services.resend, services.revoke):
            with pytest.raises(delegation.MoreThanHeld):
                act(invitation=made.invitation, by=person, authority=member(person).authority)

    def test_sent_again_the_old_link_is_dead(self, sign_in, client, organization, owner):
        made = invite(owner)
        Invitation.objects.update(expires_at=timezone.now() - datetime.timedelta(days=1))
        assert "Expired" in sign_in(owner).get("/o/acme/team/").content.decode()

        client.post(f"/o/acme/team/invitations/{made.invitation.pk}/resend/")

        token = mail.outbox[0].body.split("/join/")[1].split("/")[0]
        client.logout()
        assert shown(client, made.token).status_code == 404
        assert shown(client, token).status_code == 200
        assert AuditEvent.objects.filter(action="invitation.resent").exists()

    def test_nobody_is_flooded_with_mails(self, sign_in, organization, owner):
        """Neither from one organization nor from several, which anybody may make."""
        other = factories.make_organization()
        Membership.objects.create(organization=other, user=owner, roles=["owner"])
        there = factories.make_invitation(other, email="guest@example.com", inviter=owner)
        here = factories.make_invitation(organization, email="guest@example.com", inviter=owner)
        client = sign_in(owner)

        statuses = [
            client.post(f"/o/{one.organization.slug}/team/invitations/{one.pk}/resend/").status_code
            for one in [here, there] * 6
        ]

        assert statuses[0] == 302
        assert statuses[-1] == 422
        # A window of the clock may end in between.
        assert len(mail.outbox) <= 10

    def test_revoked(self, sign_in, client, organization, owner):
        made = invite(owner)
        sign_in(owner).post(f"/o/acme/team/invitations/{made.invitation.pk}/revoke/")
        again = client.post(f"/o/acme/team/invitations/{made.invitation.pk}/revoke/")
        client.logout()

        assert again.status_code == 302
        assert shown(client, made.token).status_code == 404
        assert AuditEvent.objects.filter(action="invitation.revoked").count() == 1

    def test_another_organizations_is_not_found(self, sign_in, organization, outsider, owner):
        made = invite(owner)
        url = f"/o/globex/team/invitations/{made.invitation.pk}"

        assert sign_in(outsider).post(f"{url}/revoke/").status_code == 404
        assert Invitation.objects.open().exists()

    def test_a_name_with_line_breaks_makes_no_header(self, organization):
        person = factories.make_member(organization, "owner", name="Eve\r\nBcc: all@example.com")

        assert mailing.send(invite(person))
        assert "Bcc" not in mail.outbox[0].message()


@pytest.mark.django_db
class TestComing:
    def test_the_address_bar_and_the_session_never_have_the_token(self, client, owner):
        made = invite(owner)

        response = client.get(f"/join/{made.token}/")

        assert response.headers["Location"] == "/invitation/"
        assert made.token not in str(dict(client.session))

    def test_opening_a_link_does_nothing(self, client, owner):
        """Mail programs open links to look at them."""
        made = invite(owner)
        for _ in range(3):
            assert shown(client, made.token).status_code == 200

        assert Invitation.objects.open().exists()
        assert not User.objects.filter(email="guest@example.com").exists()

    def test_a_new_person(self, client, owner):
        made = invite(owner)
        mailing.send(made)
        shown(client, made.token)

        response = client.post("/invitation/register/", {"name": "Gus Guest", "password": PASSWORD})

        guest = User.objects.get(email="guest@example.com")
        assert response.headers["Location"] == "/o/acme/clusters/"
        assert client.get("/o/acme/team/").status_code == 200
        assert (guest.name, member(guest).roles) == ("Gus Guest", ["viewer"])
        assert EmailAddress.objects.get(user=guest).verified
        assert [event.action for event in AuditEvent.objects.filter(actor_id=str(guest.pk))][-2:] == [
            "member.added", "invitation.accepted",
        ]  # fmt: skip
        assert PASSWORD not in str(list(AuditEvent.objects.values()))

    def test_an_address_is_not_proven_by_a_link_that_was_handed_over(self, client, owner, no_mail):
        made = invite(owner)
        mailing.send(made)
        shown(client, made.token)
        client.post("/invitation/register/", {"name": "Gus", "password": PASSWORD})

        assert not EmailAddress.objects.get().verified

    def test_a_weak_password_and_no_name_are_said(self, client, owner):
        shown(client, invite(owner).token)

        response = client.post("/invitation/register/", {"name": "", "password": "12345"})

        assert response.status_code == 422
        assert set(response.context["register"].errors) == {"name", "password"}
        assert "12345" not in response.content.decode()

    def test_who_has_an_account_signs_in_and_nobody_takes_it_over(self, client, owner):
        guest = factories.make_user(email="guest@example.com")
        made = invite(owner)
        mailing.send(made)
        page = shown(client, made.token).content.decode()

        refused = client.post("/invitation/register/", {"name": "Mallory", "password": PASSWORD})
        back = client.post(
            "/accounts/login/?next=/invitation/", {"login": guest.email, "password": factories.PASSWORD}
        )
        accepted = client.post("/invitation/accept/")

        assert "/accounts/login/?next=/invitation/" in page
        assert refused.status_code == 422
        assert back.headers["Location"] == "/invitation/"
        assert accepted.headers["Location"] == "/o/acme/clusters/"
        guest.refresh_from_db()
        assert guest.check_password(factories.PASSWORD)
        assert (guest.name != "Mallory", member(guest).roles) == (True, ["viewer"])

    def test_another_person_does_not_accept_it(self, client, owner):
        made = invite(owner)
        client.force_login(factories.make_user(email="other@example.com"))
        page = shown(client, made.token).content.decode()

        response = client.post("/invitation/accept/")

        assert "It is for another address" in page
        assert response.status_code == 422
        event = AuditEvent.objects.get(action="invitation.refused")
        assert event.details["tried_by"] == "other@example.com"
        assert Invitation.objects.open().exists()

    def test_once(self, client, owner):
        made = invite(owner, email="")
        for number, status in ((1, 302), (2, 404)):
            client.force_login(factories.make_user(email=f"p{number}@example.com"))
            shown(client, made.token)
            assert client.post("/invitation/accept/").status_code == status

        assert Membership.objects.count() == 2

    def test_a_member_does_not_use_it_up(self, client, owner):
        made = invite(owner, email="")
        client.force_login(owner)
        shown(client, made.token)

        assert client.post("/invitation/accept/").status_code == 422
        assert Invitation.objects.open().exists()

    @pytest.mark.parametrize("over", ["never", "expired", "revoked", "accepted", "replaced"])
    def test_a_link_that_is_over_reads_as_one_that_never_was(self, client, owner, over):
        made = invite(owner)
        changes = {
            "expired": {"expires_at": timezone.now()},
            "revoked": {"revoked_at": timezone.now()},
            "accepted": {"accepted_at": timezone.now()},
            "replaced": {"digest": "0" * 64},
        }
        Invitation.objects.update(**changes.get(over, {"days": 7}))

        here = shown(client, "nonsense" if over == "never" else made.token)
        never = shown(client, "x" * 43)

        assert (here.status_code, here.content) == (404, never.content)
        for act in ("register", "claim", "decline"):
            form = {"name": "G", "password": PASSWORD, "email": "g@example.com"}
            assert client.post(f"/invitation/{act}/", form).status_code == 404

    def test_declined(self, client, owner):
        made = invite(owner)
        shown(client, made.token)

        assert client.post("/invitation/decline/").status_code == 200
        assert shown(client, made.token).status_code == 404
        assert AuditEvent.objects.filter(action="invitation.declined").exists()

    def test_without_a_link_there_is_nothing(self, client, db):
        assert client.get("/invitation/").status_code == 404
        assert client.post("/invitation/register/", {"name": "x", "password": PASSWORD}).status_code == 404


@pytest.mark.django_db
class TestLinkWithoutAddress:
    """Whoever has it and no account names an address, which has to prove itself by mail."""

    def test_it_goes_on_by_mail_to_the_same_roles_for_no_longer(self, client, owner):
        made = invite(owner, email="", roles=("auditor",), days=1)
        shown(client, made.token)

        response = client.post("/invitation/claim/", {"email": "New@Example.com"})

        token = mail.outbox[0].body.split("/join/")[1].split("/")[0]
        assert response.status_code == 200
        assert token not in response.content.decode()
        assert shown(client, made.token).status_code == 404
        assert shown(client, token).status_code == 200
        client.post("/invitation/register/", {"name": "New", "password": PASSWORD})
        new = User.objects.get(email="new@example.com")
        assert member(new).roles == ["auditor"]
        assert EmailAddress.objects.get(user=new).verified
        assert Invitation.objects.get().expires_at < timezone.now() + datetime.timedelta(days=1)

    def test_the_same_is_said_of_every_address(self, client, owner, organization):
        factories.make_user(email="known@example.com")
        bodies = []
        for email in ("known@example.com", "nobody@example.com"):
            shown(client, invite(owner, email="").token)
            response = client.post("/invitation/claim/", {"email": email})
            bodies.append((response.status_code, response.content.decode().replace(email, "…")))

        assert bodies[0] == bodies[1]
        assert len(mail.outbox) == 2

    def test_it_makes_no_account_at_once(self, client, owner):
        shown(client, invite(owner, email="").token)

        assert client.post("/invitation/register/", {"name": "x", "password": PASSWORD}).status_code == 404
        assert User.objects.count() == 1

    def test_a_mail_that_could_not_be_sent_leaves_the_link_good(self, client, owner, no_mail):
        made = invite(owner, email="")
        shown(client, made.token)

        response = client.post("/invitation/claim/", {"email": "g@example.com"})

        assert response.status_code == 422
        assert "could not be sent" in response.content.decode()
        assert shown(client, made.token).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_ten_who_accept_at_once_one_comes_in(organization, owner):
    made = invite(owner, email="")
    people = [factories.make_user() for _ in range(10)]
    barrier, results = threading.Barrier(10), []

    def go(person):
        close_old_connections()
        barrier.wait()
        try:
            services.accept(wanted=services.digest(made.token), user=person)
            results.append("in")
        except services.Gone:
            results.append("gone")
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(results) == ["gone"] * 9 + ["in"]
    assert Membership.objects.count() == 2
    assert AuditEvent.objects.filter(action="invitation.accepted").count() == 1
