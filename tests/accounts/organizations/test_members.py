"""The team: who is listed, who may change whom, and that a change holds with the next request."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import delegation
from accounts.custom_roles import rules
from accounts.custom_roles import services as custom_roles
from accounts.members import explaining, services
from accounts.models import ApiToken, AuditEvent, Invitation, Membership
from accounts.roles import Permission, Role
from tests import factories

pytestmark = pytest.mark.django_db


def member(user) -> Membership:
    return user.memberships.get()


def give(user, roles, *, by, custom=()):
    return services.change_roles(
        membership=member(user), roles=roles, custom_roles=custom, by=by, authority=member(by).authority
    )


class TestChangingRoles:
    def test_a_change_is_written_with_before_and_after(self, organization, owner, viewer):
        role = factories.make_role(organization, name="Shop developer")

        assert give(viewer, ["devops", "auditor"], by=owner, custom=[role])

        event = AuditEvent.objects.get()
        assert (event.action, event.actor_name) == ("member.changed", str(owner))
        assert event.details["changes"] == {
            "roles": [["Viewer"], ["DevOps", "Auditor", "Shop developer"]],
        }

    def test_the_same_roles_in_another_order_are_no_change(self, organization, owner, viewer):
        give(viewer, ["auditor", "devops"], by=owner)

        assert not give(viewer, ["devops", "auditor", "devops"], by=owner)
        assert AuditEvent.objects.count() == 1

    def test_somebody_keeps_a_role(self, owner, viewer):
        with pytest.raises(services.NoRole):
            give(viewer, [], by=owner)

    @pytest.mark.parametrize(
        ("by", "whose", "to"),
        [("admin", "viewer", "owner"), ("admin", "owner", "viewer"), ("admin", "admin", "owner")],
    )
    def test_an_admin_neither_makes_nor_unmakes_an_owner(self, organization, owner, by, whose, to):
        actor, other = factories.make_member(organization, by), factories.make_member(organization, whose)

        with pytest.raises(delegation.MoreThanHeld):
            give(other, [to], by=actor)
        with pytest.raises(delegation.MoreThanHeld):
            give(actor, ["owner"], by=actor)

        assert member(other).roles == [whose]

    def test_who_manages_members_by_a_custom_role_gives_and_takes_only_what_they_hold(
        self, organization, owner, viewer, devops
    ):
        role = factories.make_role(organization, permissions=["member:view", "member:manage"])
        give(viewer, ["viewer"], by=owner, custom=[role])
        newcomer = factories.make_member(organization, "viewer")

        with pytest.raises(delegation.MoreThanHeld):
            give(newcomer, ["admin"], by=viewer)
        with pytest.raises(delegation.MoreThanHeld):
            give(devops, ["viewer"], by=viewer)
        with pytest.raises(delegation.MoreThanHeld):
            services.remove(membership=member(devops), by=viewer, authority=member(viewer).authority)

        assert give(newcomer, ["viewer"], by=viewer, custom=[role])

    def test_the_page_refuses_what_its_form_does_not_offer(self, sign_in, organization, admin, viewer):
        client = sign_in(admin)
        url = f"/o/acme/team/{member(viewer).pk}/roles/"

        shown = client.get(url)
        sent = client.post(url, {"roles": ["owner"]})

        assert 'value="owner"' in shown.content.decode()
        assert "More than your own roles allow" in shown.content.decode()
        assert sent.status_code == 422
        assert member(viewer).roles == ["viewer"]

    def test_another_organizations_role_is_not_given(self, sign_in, owner, viewer, outsider):
        foreign = factories.make_role(member(outsider).organization)
        url = f"/o/acme/team/{member(viewer).pk}/roles/"

        assert sign_in(owner).post(url, {"roles": [str(foreign.pk)]}).status_code == 422
        assert not member(viewer).custom_roles.exists()


class TestNextRequest:
    """What changes holds with the very next request of a session that was there before."""

    def test_a_lowered_role(self, client, owner, admin):
        client.force_login(admin)
        before = client.get("/o/acme/audit/").status_code
        give(admin, ["viewer"], by=owner)

        assert (before, client.get("/o/acme/audit/").status_code) == (200, 403)

    def test_a_removed_member(self, client, owner, admin):
        client.force_login(admin)
        before = client.get("/o/acme/team/").status_code
        services.remove(membership=member(admin), by=owner, authority=member(owner).authority)

        assert (before, client.get("/o/acme/team/").status_code) == (200, 404)

    def test_a_custom_role_that_is_changed(self, client, organization, owner):
        role = factories.make_role(organization, permissions=["cluster:view", "audit:view"])
        person = factories.make_member(organization, "viewer")
        give(person, ["viewer"], by=owner, custom=[role])
        client.force_login(person)
        before = client.get("/o/acme/audit/").status_code
        role.permissions = ["cluster:view"]
        role.save()

        assert (before, client.get("/o/acme/audit/").status_code) == (200, 403)


class TestRemoving:
    def test_tokens_end_open_invitations_are_revoked_and_the_account_stays(self, client, owner, admin):
        acme = member(admin).organization
        factories.make_invitation(acme, inviter=admin, email="guest@example.com")
        ApiToken.objects.create(membership=member(admin), name="mine", prefix="khp_x", digest="d" * 64)
        client.force_login(admin)

        services.remove(membership=member(admin), by=owner, authority=member(owner).authority)

        assert not ApiToken.objects.exists()
        assert not Invitation.objects.open().exists()
        event = AuditEvent.objects.get(action="member.removed")
        assert event.details == {
            "email": admin.email, "roles": ["Admin"], "api_tokens": 1, "invitations": 1,
        }  # fmt: skip
        assert client.get("/account/").status_code == 200

    def test_the_page_says_what_follows_and_wants_the_address(self, sign_in, owner, viewer):
        client, url = sign_in(owner), f"/o/acme/team/{member(viewer).pk}/remove/"
        wrong = client.post(url, {"name": "somebody@example.com"})
        right = client.post(url, {"name": viewer.email})

        assert "The account stays" in client.get("/o/acme/team/").content.decode() or wrong.status_code == 422
        assert right.status_code == 302
        assert not Membership.objects.filter(user=viewer).exists()

    def test_who_is_lowered_loses_the_invitations_that_they_could_not_send_any_more(
        self, organization, owner, admin
    ):
        to_admin = factories.make_invitation(organization, inviter=admin, roles=["admin"])
        to_viewer = factories.make_invitation(organization, inviter=admin, roles=["viewer"])

        give(admin, ["viewer"], by=owner)

        assert list(Invitation.objects.open()) == [to_viewer]
        assert AuditEvent.objects.get(action="invitation.revoked").target_id == str(to_admin.pk)

    def test_who_hands_over_keeps_no_way_back_in(self, organization, owner, devops):
        to_owner = factories.make_invitation(organization, inviter=owner, roles=["owner"])
        to_admin = factories.make_invitation(organization, inviter=owner, roles=["admin"])

        services.hand_over(membership=member(owner), to=member(devops))

        assert list(Invitation.objects.open()) == [to_admin]
        assert AuditEvent.objects.get(action="invitation.revoked").target_id == str(to_owner.pk)

    @pytest.mark.parametrize("act", ["change", "delete"])
    def test_what_a_custom_role_allowed_to_give_is_revoked_with_it(self, organization, owner, act):
        lead = factories.make_role(
            organization, name="Lead", permissions=["member:view", "member:manage", "audit:view"]
        )
        person = factories.make_member(organization, "viewer")
        member(person).custom_roles.add(lead)
        to_auditor = factories.make_invitation(organization, inviter=person, roles=["auditor"])
        to_viewer = factories.make_invitation(organization, inviter=person, roles=["viewer"])

        if act == "delete":
            custom_roles.delete(role=lead, by=owner, authority=member(owner).authority)
        else:
            less = rules.Wanted("Lead", permissions=rules.complete(["member:manage"]))
            custom_roles.change(
                role=lead, wanted=less, seen_version=1, by=owner, authority=member(owner).authority
            )

        assert list(Invitation.objects.open()) == [to_viewer]
        assert AuditEvent.objects.get(action="invitation.revoked").target_id == str(to_auditor.pk)

    def test_leaving(self, sign_in, owner, viewer):
        response = sign_in(viewer).post("/o/acme/settings/leave/")

        assert response.status_code == 302
        assert not Membership.objects.filter(user=viewer).exists()
        assert AuditEvent.objects.get().action == "member.left"

    def test_the_last_owner_is_told(self, sign_in, owner):
        response = sign_in(owner).post("/o/acme/settings/leave/")

        assert response.status_code == 422
        assert "Make somebody else an owner first" in response.content.decode()


class TestTeamPage:
    def fill(self, organization, count):
        for number in range(count):
            person = factories.make_user(name=f"Person {number:04}")
            membership = Membership.objects.create(organization=organization, user=person, roles=["viewer"])
            membership.custom_roles.add(factories.make_role(organization))

    def queries(self, client, url="/o/acme/team/"):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert client.get(url).status_code == 200
        return len(asked)

    def test_five_hundred_members_take_as_many_queries_as_five(self, sign_in, organization, owner):
        client = sign_in(owner)
        self.fill(organization, 5)
        client.get("/o/acme/team/")
        few = self.queries(client)
        self.fill(organization, 60)
        for number in range(435):
            factories.make_member(organization, "devops", name=f"Other {number:04}")

        assert self.queries(client) == few
        assert "501 members" in client.get("/o/acme/team/").content.decode()

    def test_pages_go_on_without_leaving_anybody_out(self, sign_in, organization, owner):
        client = sign_in(owner)
        for number in range(120):
            factories.make_member(organization, "viewer", name=f"Twin {number % 3}")
        seen, url = [], "/o/acme/team/"
        while url:
            page = client.get(url).context["page"]
            seen += [one.pk for one in page.rows]
            url = f"/o/acme/team/?after={page.more}" if page.more else ""

        assert len(seen) == len(set(seen)) == 121

    def test_a_search_finds_names_and_addresses_and_nothing_of_others(self, sign_in, owner, outsider):
        factories.make_member(member(owner).organization, "viewer", name="Zoë Quill", email="zq@acme.example")
        client = sign_in(owner)

        for q in ("quill", "ZQ@acme"):
            rows = client.get("/o/acme/team/", {"q": q}).context["page"].rows
            assert [one.user.name for one in rows] == ["Zoë Quill"]
        assert client.get("/o/acme/team/", {"q": outsider.name}).context["page"].rows == []

    def test_machines_are_apart(self, sign_in, organization, owner):
        machine = factories.make_user(is_machine=True, name="ci")
        Membership.objects.create(organization=organization, user=machine, roles=["viewer"])

        context = sign_in(owner).get("/o/acme/team/").context

        assert [one.user for one in context["machines"]] == [machine]
        assert machine not in [one.user for one in context["page"].rows]

    def test_a_viewer_sees_neither_invitations_nor_second_factors(self, sign_in, organization, viewer):
        factories.make_invitation(organization, email="guest@example.com")

        page = sign_in(viewer).get("/o/acme/team/").content.decode()

        assert "guest@example.com" not in page
        assert "Second factor" not in page

    @pytest.mark.parametrize(
        "query", ["after=x", "after=0", f"after={10**40}", "after=99999999", "q=%00", "q=" + "x" * 500]
    )
    def test_odd_addresses_are_no_error_of_ours(self, sign_in, owner, query):
        assert sign_in(owner).get(f"/o/acme/team/?{query}").status_code in (200, 422)


class TestExplaining:
    @pytest.fixture
    def developer(self, organization):
        role = factories.make_role(
            organization,
            name="Deployer",
            permissions=["cluster:view", "deploy:view", "deploy:run"],
            clusters=["staging-*"],
        )
        person = factories.make_member(organization, "auditor", name="Dana")
        member(person).custom_roles.add(role)
        return person

    def test_a_page_says_because_of_which_role(self, sign_in, owner, developer):
        url = f"/o/acme/team/{member(developer).pk}/"
        client = sign_in(owner)

        on_staging = client.get(url, {"cluster": "staging-eu"}).content.decode()
        on_prod = client.get(url, {"cluster": "prod"}).content.decode()

        assert "Because of the role Deployer (cluster staging-*)." in on_staging
        assert "Deployer (" not in on_prod
        assert "No role of theirs allows it on cluster prod." in on_prod

    def test_who_may_names_everybody_and_why(self, organization, owner, developer, viewer):
        found = explaining.who(
            organization,
            Permission.DEPLOY_RUN,
            {"cluster": "staging-eu", "namespace": None, "secret": None},
        )

        assert [(str(one.user), [grant.role for grant in answer.because]) for one, answer in found] == [
            ("Dana", ["Deployer"]),
            (str(owner), ["Owner"]),
        ]

    def test_the_page_of_who_may_takes_as_many_queries_for_many(self, sign_in, organization, owner):
        client, url = sign_in(owner), "/o/acme/team/who-may/?permission=deploy:run&cluster=prod"
        client.get(url)
        with CaptureQueriesContext(connection) as few:
            client.get(url)
        for _ in range(30):
            factories.make_member(organization, "devops")
        with CaptureQueriesContext(connection) as many:
            assert "31 may" in client.get(url).content.decode()

        assert len(many) == len(few)

    def test_nonsense_is_refused(self, sign_in, owner):
        client = sign_in(owner)

        assert client.get("/o/acme/team/who-may/?permission=everything").status_code == 422
        assert client.get(f"/o/acme/team/{member(owner).pk}/?cluster=%00").status_code == 422

    def test_every_role_is_explained(self, organization):
        for role in Role.values:
            person = factories.make_member(organization, role)
            groups = explaining.of(member(person), {})
            answers = [answer for _, group in groups for answer in group]

            assert len(answers) == len(Permission)
            assert all(one.allowed is member(person).allows(one.permission) for one in answers)


def test_a_machine_is_removed_by_its_name_and_whole(sign_in, organization, owner):
    machine = factories.make_user(is_machine=True, name="deploy-bot")
    found = Membership.objects.create(organization=organization, user=machine, roles=["devops"])

    response = sign_in(owner).post(f"/o/acme/team/{found.pk}/remove/", {"name": "deploy-bot"})

    assert response.status_code == 302
    assert not type(machine).objects.filter(pk=machine.pk).exists()
