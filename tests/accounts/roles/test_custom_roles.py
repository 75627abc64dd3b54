"""Custom roles: what they may be, who may make them, and their editor."""

import pytest

from accounts import delegation
from accounts.custom_roles import rules, services
from accounts.custom_roles.rules import Wanted
from accounts.models import AuditEvent, CustomRole
from accounts.roles import GROUPS, INCLUDES, OF_A_CLUSTER, OF_A_NAMESPACE, Permission
from tests import factories

pytestmark = pytest.mark.django_db
P = Permission


def wanted(**fields) -> Wanted:
    fields.setdefault("name", "Shop developer")
    fields["permissions"] = rules.complete(fields.get("permissions", ["secret:browse"]))
    return Wanted(**fields)


def member(user):
    return user.memberships.get()


def make(by, **fields):
    return services.create(
        organization=member(by).organization, wanted=wanted(**fields), by=by, authority=member(by).authority
    )


def change(role, by, **fields):
    return services.change(
        role=role,
        wanted=wanted(**fields),
        seen_version=role.version,
        by=by,
        authority=member(by).authority,
    )


class TestRules:
    def test_every_permission_is_in_one_group(self):
        grouped = [one for _, permissions in GROUPS for one in permissions]

        assert sorted(grouped) == sorted(Permission)

    def test_what_includes_something_can_be_limited_no_further_than_that(self):
        """Else a limited role could not be completed."""
        for one, included in INCLUDES.items():
            if one in OF_A_CLUSTER:
                assert included <= OF_A_CLUSTER, one
            if one in OF_A_NAMESPACE:
                assert included <= OF_A_NAMESPACE, one

    def test_changing_includes_seeing(self):
        assert set(rules.complete(["deploy:run"])) == {P.DEPLOY_RUN, P.DEPLOY_VIEW, P.CLUSTER_VIEW}

    def test_what_is_the_owners_alone_is_in_no_custom_role(self):
        assert rules.complete(["organization:manage", "organization:view", "nonsense"]) == ()

    @pytest.mark.parametrize(
        ("fields", "field", "words"),
        [
            ({"name": "Owner"}, "name", "built-in"),
            ({"name": "devops"}, "name", "built-in"),
            ({"name": "A, B"}, "name", "commas"),
            ({"name": "A\u202eB"}, "name", "invisible"),
            ({"name": ""}, "name", "Give the role a name"),
            ({"permissions": []}, "permissions", "at least one"),
            ({"clusters": ("*",)}, "clusters", "Leave this empty"),
            ({"clusters": ("Prod",)}, "clusters", "lower-case"),
            ({"clusters": ("-prod",)}, "clusters", "lower-case"),
            ({"clusters": ("prod?",)}, "clusters", "lower-case"),
            ({"clusters": ("prod\n",)}, "clusters", "lower-case"),
            ({"clusters": ("[a-z]*",)}, "clusters", "lower-case"),
            ({"clusters": ("x" * 41,)}, "clusters", "40"),
            ({"clusters": tuple(f"c{n}" for n in range(21))}, "clusters", "At most 20"),
            ({"namespaces": ("shop_a",)}, "namespaces", "lower-case"),
            ({"prefixes": ("prod/*",)}, "prefixes", "without *"),
            ({"prefixes": ("a b",)}, "prefixes", "no beginning"),
            ({"permissions": ["audit:view"], "clusters": ("a",)}, "clusters", "Review the audit log"),
            ({"permissions": ["deploy:run"], "namespaces": ("a",)}, "namespaces", "Deploy a cluster"),
            ({"permissions": ["access:view"], "prefixes": ("a",)}, "prefixes", "See secret manager accesses"),
        ],
    )
    def test_what_cannot_be_is_said_of_its_field(self, fields, field, words):
        assert words in rules.problems(wanted(**fields))[field]

    @pytest.mark.parametrize(
        "fields",
        [
            {"permissions": sorted(OF_A_CLUSTER), "clusters": ("staging-*", "*-eu")},
            {
                "permissions": sorted(OF_A_NAMESPACE),
                "clusters": ("a",),
                "namespaces": ("shop-*",),
                "prefixes": ("p/",),
            },
            {"permissions": ["audit:view", "member:manage"]},
        ],
    )
    def test_what_can_be(self, fields):
        assert rules.problems(wanted(**fields)) == {}


class TestServices:
    def test_a_role_is_made_changed_and_deleted_in_the_log(self, organization, owner, viewer):
        role = make(owner, clusters=("staging-*",))
        member(viewer).custom_roles.add(role)
        change(role, owner, clusters=("staging-*", "dev"), name="Developer")
        role.refresh_from_db()
        services.delete(role=role, by=owner, authority=member(owner).authority)

        deleted, changed, created = AuditEvent.objects.all()
        assert (created.action, created.details["clusters"]) == ("role.created", ["staging-*"])
        assert changed.details["changes"] == {
            "name": ["Shop developer", "Developer"],
            "clusters": [["staging-*"], ["staging-*", "dev"]],
        }
        assert (deleted.action, deleted.details["members"]) == ("role.deleted", [viewer.email])
        assert not member(viewer).custom_roles.exists()

    def test_nothing_differs(self, organization, owner):
        role = make(owner)

        assert not change(role, owner)
        assert AuditEvent.objects.count() == 1

    def test_names_are_unique_whatever_their_case(self, organization, owner):
        make(owner)

        with pytest.raises(services.NameTaken):
            make(owner, name="SHOP DEVELOPER")

    def test_the_second_of_two_editors_is_told(self, organization, owner):
        role = make(owner)
        change(role, owner, description="first")

        with pytest.raises(services.Changed):
            change(role, owner, description="second")

        assert CustomRole.objects.get().description == "first"

    def test_nobody_puts_into_a_role_what_they_do_not_hold(self, organization, owner):
        manager = make(owner, name="Role maker", permissions=["role:manage", "member:manage"])
        person = factories.make_member(organization, "viewer")
        member(person).custom_roles.add(manager)
        wide = make(owner, name="Wide", permissions=["cluster:manage"])

        with pytest.raises(delegation.MoreThanHeld):
            make(person, name="Mine", permissions=["deploy:run"])
        with pytest.raises(delegation.MoreThanHeld):
            change(manager, person, name="Role maker", permissions=["role:manage", "credential:manage"])
        with pytest.raises(delegation.MoreThanHeld):
            change(wide, person, name="Wide", permissions=["cluster:view"])
        with pytest.raises(delegation.MoreThanHeld):
            services.delete(role=wide, by=person, authority=member(person).authority)

        assert make(person, name="Mine", permissions=["cluster:view"], clusters=("a",)).pk

    def test_a_limit_is_not_lifted_by_who_is_limited(self, organization, owner):
        """Somebody who browses on staging alone, and makes roles, makes none that browses anywhere else."""
        limited = make(owner, name="Staging", clusters=("staging-*",))
        maker = make(owner, name="Maker", permissions=["role:manage"])
        person = factories.make_member(organization, "viewer")
        member(person).custom_roles.set([limited, maker])

        with pytest.raises(delegation.MoreThanHeld):
            make(person, name="All")
        with pytest.raises(delegation.MoreThanHeld):
            make(person, name="Prod", clusters=("prod",))

        assert make(person, name="Eu", clusters=("staging-eu",)).pk


class TestPages:
    FORM = {"name": "Shop developer", "permissions": ["secret:browse", "external_secret:manage"],
            "clusters": "staging-*", "namespaces": "shop-*, shop", "prefixes": ""}  # fmt: skip

    def test_the_editor_makes_one(self, sign_in, organization, owner):
        response = sign_in(owner).post("/o/acme/roles/new/", self.FORM)

        role = CustomRole.objects.get()
        assert response.status_code == 302
        assert (role.clusters, role.namespaces, role.prefixes) == (["staging-*"], ["shop-*", "shop"], [])
        assert set(role.permissions) == {
            "cluster:view", "secret:browse", "external_secret:view", "external_secret:manage",
        }  # fmt: skip

    def test_it_says_what_is_wrong_where_it_is(self, sign_in, organization, owner):
        response = sign_in(owner).post(
            "/o/acme/roles/new/", self.FORM | {"permissions": ["deploy:run"], "clusters": "Prod"}
        )

        errors = response.context["form"].errors
        assert response.status_code == 422
        assert set(errors) == {"clusters", "namespaces"}
        assert not CustomRole.objects.exists()

    def test_the_preview_counts_and_stores_nothing(self, sign_in, organization, owner):
        for name in ("staging-eu", "staging-us", "prod"):
            cluster = factories.make_cluster(organization=organization, name=name)
            for namespace in ("shop", "shop-api", "billing"):
                factories.make_service(cluster=cluster, namespace=namespace)
        factories.make_service(namespace="shop")

        page = sign_in(owner).post(
            "/o/acme/roles/new/", self.FORM | {"name": "", "act": "preview"}, headers={"HX-Request": "true"}
        )

        assert "2 of 3 clusters" in page.content.decode()
        assert "4 of 9 namespaces" in page.content.decode()
        assert "<html" not in page.content.decode()
        assert not CustomRole.objects.exists()

    def test_the_preview_names_nothing_that_the_editor_may_not_see(self, sign_in, organization):
        factories.make_cluster(organization=organization, name="hidden-prod")
        editor = factories.make_member(organization, "viewer")
        membership = member(editor)
        membership.roles = []
        membership.save()
        membership.custom_roles.add(
            factories.make_role(organization, name="Roles", permissions=["member:view", "role:manage"])
        )

        answer = sign_in(editor).post(
            "/o/acme/roles/reach/", {"permissions": ["cluster:view"]}, headers={"HX-Request": "true"}
        )

        assert answer.status_code == 200
        assert "hidden-prod" not in answer.content.decode()
        assert [(one.seen, one.total) for one in answer.context["reach"]] == [(0, 0), (0, 0)]

    def test_a_copy_begins_as_the_other_and_a_foreign_one_is_not_found(
        self, sign_in, organization, owner, outsider
    ):
        role = factories.make_role(organization, name="Mine", clusters=["a-*"])
        foreign = factories.make_role(member(outsider).organization)
        client = sign_in(owner)

        page = client.get(f"/o/acme/roles/new/?from={role.pk}").content.decode()

        assert 'value="Copy of Mine"' in page
        assert "a-*" in page
        assert client.get(f"/o/acme/roles/new/?from={foreign.pk}").status_code == 404
        assert client.get("/o/acme/roles/new/?from=x").status_code == 404

    def test_the_second_editor_sees_what_it_is_now(self, sign_in, organization, owner):
        role = factories.make_role(organization, name="Mine")
        client, url = sign_in(owner), f"/o/acme/roles/{role.pk}/"
        first = client.post(url, self.FORM | {"seen": "1"})
        second = client.post(url, self.FORM | {"seen": "1", "name": "Other"})

        assert (first.status_code, second.status_code) == (302, 422)
        assert "Somebody changed this role" in second.content.decode()
        assert 'value="Shop developer"' in second.content.decode()
        assert 'name="seen" value="2"' in second.content.decode()

    def test_an_admin_edits_no_role_that_allows_more(self, sign_in, organization, owner):
        role = factories.make_role(organization, name="Wide", permissions=["deploy:run"])
        maker = factories.make_role(organization, name="Maker", permissions=["role:manage", "member:view"])
        person = factories.make_member(organization, "viewer")
        member(person).custom_roles.add(maker)

        response = sign_in(person).post(f"/o/acme/roles/{role.pk}/delete/", {"name": "Wide"})

        assert response.status_code == 422
        assert CustomRole.objects.filter(pk=role.pk).exists()

    def test_deleting_shows_who_has_it_and_wants_the_name(self, sign_in, organization, owner, viewer):
        role = factories.make_role(organization, name="Mine")
        member(viewer).custom_roles.add(role)
        factories.make_invitation(organization, email="g@example.com").custom_roles.add(role)
        client, url = sign_in(owner), f"/o/acme/roles/{role.pk}/delete/"

        page = client.get(url).content.decode()
        wrong = client.post(url, {"name": "mine"})
        right = client.post(url, {"name": "Mine"})

        assert str(viewer) in page
        assert "g@example.com" in page
        assert (wrong.status_code, right.status_code) == (422, 302)
        assert not CustomRole.objects.exists()

    def test_the_list_takes_as_many_queries_for_many(
        self, sign_in, organization, owner, django_assert_num_queries
    ):
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        client = sign_in(owner)
        factories.make_role(organization)
        client.get("/o/acme/roles/")
        with CaptureQueriesContext(connection) as few:
            client.get("/o/acme/roles/")
        for _ in range(20):
            member(factories.make_member(organization, "viewer")).custom_roles.add(
                factories.make_role(organization)
            )
        with CaptureQueriesContext(connection) as many:
            client.get("/o/acme/roles/")

        assert len(many) == len(few)

    def test_names_are_text_not_markup(self, sign_in, organization, owner):
        factories.make_role(organization, name="<script>x</script>", description="<img src=x>")

        page = sign_in(owner).get("/o/acme/roles/").content.decode()

        assert "<script>x" not in page
        assert "<img src=x>" not in page
