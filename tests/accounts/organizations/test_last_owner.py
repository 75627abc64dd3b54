"""An organization keeps an owner: by the services, and by the database whoever asks it."""

import threading

import pytest
from django.db import IntegrityError, close_old_connections, connection, transaction

from accounts.members import services
from accounts.models import AuditEvent, Membership, Organization, User
from accounts.roles import Role
from tests import factories


@pytest.fixture
def two(organization):
    """Two owners, by their memberships."""
    people = [factories.make_member(organization, "owner") for _ in range(2)]
    return [person.memberships.get() for person in people]


def lower(member, by=None):
    return services.change_roles(
        membership=member,
        roles=["viewer"],
        custom_roles=[],
        by=by or member.user,
        authority=(by.memberships.get() if by else member).authority,
    )


@pytest.mark.django_db
class TestServices:
    def test_the_last_one_is_neither_lowered_nor_removed_and_cannot_leave(self, organization, owner, admin):
        member = owner.memberships.get()

        with pytest.raises(services.LastOwner):
            lower(member)
        with pytest.raises(services.LastOwner):
            services.remove(membership=member, by=owner, authority=member.authority)
        with pytest.raises(services.LastOwner):
            services.leave(membership=member)

        assert Membership.objects.get(pk=member.pk).roles == ["owner"]
        assert not AuditEvent.objects.exists()

    def test_one_of_two_goes(self, two):
        services.leave(membership=two[0])

        assert list(Membership.objects.owners()) == [two[1]]
        assert AuditEvent.objects.get().action == "member.left"

    def test_an_owner_who_cannot_sign_in_is_none(self, two):
        User.objects.filter(pk=two[1].user_id).update(is_active=False)

        with pytest.raises(services.LastOwner):
            services.leave(membership=two[0])

    def test_a_machine_is_none(self, organization, owner):
        machine = factories.make_user(is_machine=True)
        Membership.objects.create(organization=organization, user=machine, roles=["owner"])

        with pytest.raises(services.LastOwner):
            services.leave(membership=owner.memberships.get())


@pytest.mark.django_db(transaction=True)
class TestDatabase:
    @pytest.mark.parametrize(
        "act",
        [
            lambda member: Membership.objects.filter(pk=member.pk).update(roles=["admin"]),
            lambda member: Membership.objects.filter(pk=member.pk).delete(),
            lambda member: User.objects.filter(pk=member.user_id).update(is_active=False),
            lambda member: User.objects.filter(pk=member.user_id).delete(),
            lambda member: Membership.objects.filter(pk=member.pk).update(
                organization=factories.make_organization()
            ),
        ],
        ids=["lowered", "removed", "deactivated", "deleted", "moved"],
    )
    def test_what_goes_around_the_services_is_refused(self, owner, act):
        member = owner.memberships.get()

        with pytest.raises(IntegrityError, match="keeps an active owner"):
            act(member)

        assert Membership.objects.get(pk=member.pk).roles == ["owner"]

    def test_within_a_transaction_another_may_take_over(self, organization, owner, admin):
        with transaction.atomic():
            Membership.objects.filter(user=owner).update(roles=["viewer"])
            Membership.objects.filter(user=admin).update(roles=["owner"])

        assert Membership.objects.owners().get().user == admin

    def test_an_organization_that_is_deleted_needs_none(self, organization, owner):
        with transaction.atomic():
            Organization.objects.filter(pk=organization.pk).update(deleted_at=owner.created_at)
            Membership.objects.all().delete()

        assert not Membership.objects.exists()

    @pytest.mark.parametrize("around", [False, True], ids=["services", "database"])
    def test_of_twenty_owners_who_go_at_once_one_stays(self, organization, around):
        """Each thread has a connection of its own, and all begin together."""
        people = [factories.make_member(organization, "owner").memberships.get() for _ in range(20)]
        barrier, refused = threading.Barrier(20), []

        def go(number, member):
            close_old_connections()
            barrier.wait()
            try:
                if around:
                    Membership.objects.filter(pk=member.pk).update(roles=["viewer"])
                elif number % 2:
                    lower(member)
                else:
                    services.leave(membership=member)
            except (IntegrityError, services.LastOwner) as error:
                refused.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=go, args=(number, one)) for number, one in enumerate(people)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert Membership.objects.filter(roles__contains=[Role.OWNER]).count() == 1
        assert len(refused) == 1


@pytest.mark.django_db
class TestHandingOver:
    def test_the_other_is_owner_and_oneself_admin(self, organization, owner, devops):
        services.hand_over(membership=owner.memberships.get(), to=devops.memberships.get())

        assert owner.memberships.get().roles == ["admin"]
        assert devops.memberships.get().roles == ["owner", "devops"]
        event = AuditEvent.objects.get()
        assert (event.action, event.details["to"]) == ("organization.transferred", devops.email)
        assert event.details["changes"][f"roles of {owner.email}"] == [["Owner"], ["Admin"]]

    def test_who_is_no_owner_hands_nothing_over(self, organization, owner, admin, devops):
        with pytest.raises(ValueError, match="An owner hands"):
            services.hand_over(membership=admin.memberships.get(), to=devops.memberships.get())

        assert devops.memberships.get().roles == ["devops"]

    def test_the_page_wants_the_name_and_a_member(self, sign_in, organization, owner, devops, outsider):
        client = sign_in(owner)
        to = devops.memberships.get().pk
        wrong = client.post("/o/acme/settings/transfer/", {"to": to, "name": "Acm"})
        foreign = client.post(
            "/o/acme/settings/transfer/", {"to": outsider.memberships.get().pk, "name": "Acme"}
        )
        right = client.post("/o/acme/settings/transfer/", {"to": to, "name": "Acme"})

        assert (wrong.status_code, foreign.status_code, right.status_code) == (422, 422, 302)
        assert owner.memberships.get().roles == ["admin"]
        assert client.get("/o/acme/settings/transfer/").status_code == 403
