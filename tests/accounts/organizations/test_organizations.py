"""Organizations: made, renamed, deleted; and forms that take no field that is not theirs."""

import pytest
from django.apps import apps
from django.core.management import call_command

from accounts.models import AuditEvent, CustomRole, Invitation, Membership, Organization, User
from accounts.organizations import closing, services
from clusters import services as clusters
from tests import factories

pytestmark = pytest.mark.django_db


class TestMaking:
    def test_whoever_is_signed_in_makes_one_and_owns_it(self, client):
        person = factories.make_user()
        client.force_login(person)

        response = client.post("/organizations/new/", {"name": "  Globex   Labs ", "slug": "globex-labs"})

        made = Organization.objects.get()
        assert response.headers["Location"] == "/o/globex-labs/clusters/"
        assert (made.name, made.memberships.get().roles) == ("Globex Labs", ["owner"])
        assert AuditEvent.objects.get().action == "organization.created"

    def test_a_stranger_is_asked_to_sign_in(self, client, db):
        assert client.get("/organizations/new/").headers["Location"].startswith("/accounts/login/")

    def test_not_where_the_one_who_runs_it_keeps_that(self, client, settings):
        settings.ORGANIZATIONS_BY_ANYONE = False
        client.force_login(factories.make_user())

        assert client.get("/organizations/new/").status_code == 403
        assert b"/organizations/new/" not in client.get("/").content
        assert client.post("/organizations/new/", {"name": "x", "slug": "x"}).status_code == 403
        assert not Organization.objects.exists()

    @pytest.mark.parametrize("slug", ["acme", "A", "a b", "-a", "closed-1", "x" * 64, ""])
    def test_an_address_that_cannot_be(self, client, organization, slug):
        client.force_login(factories.make_user())

        assert client.post("/organizations/new/", {"name": "New", "slug": slug}).status_code == 422
        assert Organization.objects.count() == 1

    def test_several_organizations_of_a_person_are_apart(self, sign_in, organization, admin):
        services.create(name="Second", slug="second", by=admin)
        client = sign_in(admin)

        assert client.get("/o/acme/settings/delete/").status_code == 403
        assert client.get("/o/second/settings/delete/").status_code == 200


class TestRenaming:
    def test_the_old_address_leads_nowhere(self, sign_in, organization, owner):
        client = sign_in(owner)
        said = client.get("/o/acme/settings/").content.decode()

        response = client.post("/o/acme/settings/rename/", {"name": "Acme Two", "slug": "acme-two"})

        assert "lead nowhere from then on" in said
        assert response.headers["Location"] == "/o/acme-two/settings/"
        assert client.get("/o/acme/settings/").status_code == 404
        assert client.get("/o/acme-two/settings/").status_code == 200
        event = AuditEvent.objects.get(action="organization.renamed")
        assert event.details == {"changes": {"name": ["Acme", "Acme Two"], "slug": ["acme", "acme-two"]}}

    def test_a_taken_address_is_refused(self, sign_in, owner, outsider):
        response = sign_in(owner).post("/o/acme/settings/rename/", {"name": "Acme", "slug": "globex"})

        assert response.status_code == 422
        assert "The address globex is taken" in response.content.decode()

    def test_an_admin_does_not(self, sign_in, organization, admin):
        assert sign_in(admin).post("/o/acme/settings/rename/", {"name": "x", "slug": "x"}).status_code == 403


class TestDeleting:
    def test_connected_clusters_are_named_and_keep_it(self, sign_in, organization, owner):
        factories.make_cluster(organization=organization, name="prod")
        client = sign_in(owner)

        shown = client.get("/o/acme/settings/delete/").content.decode()
        sent = client.post("/o/acme/settings/delete/", {"name": "Acme"})

        assert "/o/acme/clusters/prod/danger/" in shown
        assert sent.status_code == 422
        assert Organization.objects.get().deleted_at is None

    def test_everything_but_the_audit_log_goes_at_once(self, world, client, organization, owner, admin):
        """One object of each kind is there; nothing of the organization is left but what it was."""
        clusters.disconnect(cluster=organization.clusters.get(), by=owner)
        client.force_login(admin)
        assert client.get("/o/acme/team/").status_code == 200
        client.force_login(owner)

        response = client.post("/o/acme/settings/delete/", {"name": "Acme"})

        closed = Organization.objects.get(pk=organization.pk)
        assert response.headers["Location"] == "/"
        assert closed.deleted_at is not None
        left = {
            model._meta.label: count
            for model in apps.get_models()
            for field in model._meta.concrete_fields
            if field.related_model is Organization
            and (count := model._base_manager.filter(**{field.name: closed}).count())
        }
        assert set(left) == {"accounts.AuditEvent", "accounts.AuditHead"}
        assert not Membership.objects.exists()
        event = AuditEvent.objects.filter(organization=closed).first()
        assert (event.action, event.details["slug"]) == ("organization.closed", "acme")
        assert f"{admin.email} (Admin)" in event.details["members"]
        for person in (owner, admin):
            client.force_login(person)
            assert client.get("/o/acme/team/").status_code == 404
            assert client.get(f"/o/{closed.slug}/team/").status_code == 404
            assert b"no organization" in client.get("/").content
        assert User.objects.filter(pk=admin.pk, is_active=True).exists()

    def test_its_address_is_free_and_its_log_stays_its_own(self, client, organization, owner):
        closing.close(organization=organization, by=owner)

        again = services.create(name="Acme", slug="acme", by=owner)

        assert AuditEvent.objects.owned_by(again).count() == 1
        client.force_login(owner)
        assert client.get("/o/acme/settings/").status_code == 200

    def test_an_invitation_to_it_is_dead(self, client, organization, owner):
        factories.make_invitation(organization, "open sesame")
        closing.close(organization=organization, by=owner)

        assert client.get("/join/open sesame/", follow=True).status_code == 404

    def test_whoever_runs_it_exports_the_log(self, organization, owner, capsys):
        closing.close(organization=organization, by=owner)

        call_command("export_audit_log", f"closed-{organization.pk}")

        assert '"organization.closed"' in capsys.readouterr().out

    def test_it_wants_the_name(self, sign_in, organization, owner):
        assert sign_in(owner).post("/o/acme/settings/delete/", {"name": "acme"}).status_code == 422
        assert Organization.objects.get().deleted_at is None


EXTRA = {
    "organization": "999", "organization_id": "999", "org": "globex", "id": "1", "pk": "1", "user": "1",
    "user_id": "1", "owner": "1", "role": "owner", "is_owner": "on", "is_active": "on", "is_superuser": "on",
    "is_machine": "on", "version": "99", "inviter": "1", "invited_by": "Mallory", "digest": "0" * 64,
    "accepted_at": "2026-01-01", "deleted_at": "2026-01-01", "created_at": "2001-01-01", "sso_required": "on",
    "membership": "1", "custom_roles": "1", "last_active_at": "2001-01-01", "audit_days": "1",
}  # fmt: skip


class TestMassAssignment:
    """Each form is posted with more than twenty fields that are not its own."""

    @pytest.fixture
    def globex(self, outsider):
        return outsider.memberships.get().organization

    def test_organization(self, sign_in, organization, owner, globex):
        sign_in(owner).post("/o/acme/settings/rename/", EXTRA | {"name": "Acme B", "slug": "acme"})

        organization.refresh_from_db()
        globex.refresh_from_db()
        assert (organization.name, globex.name) == ("Acme B", "Globex")
        assert (organization.deleted_at, organization.sso_required, organization.audit_days) == (
            None,
            False,
            None,
        )

    def test_new_organization(self, client, globex):
        person = factories.make_user()
        client.force_login(person)
        client.post("/organizations/new/", EXTRA | {"name": "New", "slug": "new"})

        made = Organization.objects.get(slug="new")
        assert made.memberships.get().user == person
        assert made.created_at.year > 2001
        assert (made.deleted_at, made.audit_days) == (None, None)

    def test_roles_of_a_member(self, sign_in, organization, owner, viewer, globex):
        member = viewer.memberships.get()
        sign_in(owner).post(f"/o/acme/team/{member.pk}/roles/", EXTRA | {"roles": ["auditor"]})

        member.refresh_from_db()
        assert (member.roles, member.user, member.organization) == (["auditor"], viewer, organization)
        assert not member.custom_roles.exists()
        assert not User.objects.get(pk=viewer.pk).is_machine

    def test_invitation(self, sign_in, organization, owner, globex):
        sign_in(owner).post("/o/acme/team/invite/", EXTRA | {"how": "link", "roles": ["viewer"], "days": "7"})

        made = Invitation.objects.get()
        assert (made.organization, made.roles, made.inviter) == (organization, ["viewer"], owner)
        assert (made.invited_by, made.accepted_at) == (str(owner), None)
        assert made.digest != EXTRA["digest"]

    def test_custom_role(self, sign_in, organization, owner, globex):
        sign_in(owner).post(
            "/o/acme/roles/new/",
            EXTRA | {"name": "Mine", "permissions": ["cluster:view", "organization:manage"]},
        )
        sign_in(owner).post("/o/acme/roles/new/", EXTRA | {"name": "Mine", "permissions": ["cluster:view"]})

        made = CustomRole.objects.get()
        assert (made.organization, made.permissions, made.version) == (organization, ["cluster:view"], 1)

    def test_registering(self, client, organization):
        factories.make_invitation(organization, "token", email="new@example.com")
        client.get("/join/token/")
        client.post(
            "/invitation/register/",
            EXTRA | {"name": "New", "password": "a long and unusual one", "email": "other@example.com",
                     "roles": ["owner"]},
        )  # fmt: skip

        made = User.objects.get(name="New")
        assert (made.email, made.is_machine) == ("new@example.com", False)
        assert made.memberships.get().roles == ["viewer"]
