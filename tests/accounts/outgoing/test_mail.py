"""What people are told by mail: gathered, within what they may see at that moment, and of what they chose."""

import datetime

import pytest
from django.utils import timezone

from accounts.audit import services as audit
from accounts.models import AuditEvent, CustomRole, Destination, Membership
from accounts.outgoing import engine, reading, services
from tests import factories

pytestmark = pytest.mark.django_db


def member_of(organization, user):
    return Membership.objects.select_related("user", "organization").get(organization=organization, user=user)


def tell(organization, action, target, by=None, **details):
    return audit.record(organization=organization, by=by, action=action, target=target, details=details)


def turn(destination):
    engine.run(str(destination.pk))
    destination.refresh_from_db()


@pytest.fixture
def chosen(organization, viewer):
    """A viewer who wants to know of everything that can be chosen."""
    slugs = ["own-deploys", "deploy-failures", "accesses", "external-secrets", "expiry", "drift"]
    services.choose(membership=member_of(organization, viewer), slugs=slugs)
    return Destination.objects.get(membership__user=viewer)


def make_deploy(organization, name="prod"):
    from clusters.models import Deploy

    cluster = factories.make_cluster(organization=organization, name=name)
    return Deploy.objects.create(cluster=cluster, number=4, by_name="x")


def test_several_events_are_one_mail(organization, chosen, viewer, mailoutbox):
    deploy = make_deploy(organization)
    for _ in range(3):
        tell(organization, "deploy.failed", deploy)

    turn(chosen)

    assert len(mailoutbox) == 1
    assert mailoutbox[0].to == [viewer.email]
    assert mailoutbox[0].subject == "[Acme] Keyhaven failed at Deploy 4 of prod, and 2 more"
    assert chosen.cursor == AuditEvent.objects.count()


def test_a_mail_waits_for_what_else_happens_and_mails_are_seldom(organization, chosen, make_past):
    tell(organization, "deploy.failed", make_deploy(organization))
    fresh = reading.due()
    make_past(chosen)
    gathered = reading.due()
    Destination.objects.filter(pk=chosen.pk).update(last_delivered_at=timezone.now())

    just_mailed = reading.due()

    assert (fresh, gathered, just_mailed) == ([], [(str(chosen.pk), 0)], [])


@pytest.fixture
def make_past(monkeypatch):
    """Return a function after which what just happened is long gathered."""

    def act(_destination):
        monkeypatch.setattr(reading, "GATHER", datetime.timedelta(seconds=-1))

    return act


def test_what_was_not_chosen_is_not_told(organization, viewer, mailoutbox):
    services.choose(membership=member_of(organization, viewer), slugs=["drift"])
    mine = Destination.objects.get(membership__user=viewer)
    tell(organization, "deploy.failed", make_deploy(organization))

    turn(mine)

    assert mailoutbox == []
    assert mine.cursor == AuditEvent.objects.count()


def test_own_deploys_are_those_that_i_asked_for(organization, viewer, admin, mailoutbox):
    services.choose(membership=member_of(organization, viewer), slugs=["own-deploys"])
    mine = Destination.objects.get(membership__user=viewer)
    deploy = make_deploy(organization)
    tell(organization, "deploy.succeeded", deploy, by=admin)
    turn(mine)
    of_others = len(mailoutbox)

    tell(organization, "deploy.succeeded", deploy, by=viewer)
    turn(mine)

    assert (of_others, len(mailoutbox)) == (0, 1)


def test_who_lost_the_right_is_told_no_more(organization, chosen, viewer, mailoutbox):
    tell(organization, "deploy.failed", make_deploy(organization))
    Membership.objects.filter(user=viewer).update(roles=[])

    turn(chosen)

    assert mailoutbox == []
    assert chosen.cursor == AuditEvent.objects.count()


def test_who_may_not_sign_in_any_more_is_told_no_more(organization, chosen, viewer, mailoutbox):
    tell(organization, "deploy.failed", make_deploy(organization))
    viewer.is_active = False
    viewer.save()

    turn(chosen)

    assert mailoutbox == []


def test_a_member_who_left_takes_the_choice_along(organization, chosen, viewer):
    Membership.objects.filter(user=viewer).delete()

    assert not Destination.objects.filter(pk=chosen.pk).exists()


def make_limited(organization, user, **limits):
    role = CustomRole.objects.create(
        organization=organization,
        name="Limited",
        permissions=["cluster:view", "deploy:view", "external_secret:view"],
        **limits,
    )
    membership = Membership.objects.get(user=user)
    membership.roles = []
    membership.save()
    membership.custom_roles.add(role)


def test_a_role_of_one_cluster_is_told_of_that_one(organization, chosen, viewer, mailoutbox):
    make_limited(organization, viewer, clusters=["staging-*"])
    tell(organization, "deploy.failed", make_deploy(organization, "prod"))
    tell(organization, "deploy.failed", make_deploy(organization, "staging-1"))

    turn(chosen)

    assert "staging-1" in mailoutbox[0].body
    assert "prod" not in mailoutbox[0].body


def test_a_role_of_one_namespace_is_told_of_that_one(organization, chosen, viewer, mailoutbox):
    make_limited(organization, viewer, namespaces=["shop-*"])
    cluster = factories.make_cluster(organization=organization)
    for space in ("shop-a", "billing"):
        service = factories.make_service(cluster=cluster, namespace=space)
        link = factories.make_link(service=service, variable=f"OF_{space[:4].upper()}")
        tell(organization, "external_secret.failing", link, namespace=space, key=link.key)

    turn(chosen)

    assert "OF_SHOP" in mailoutbox[0].body
    assert "OF_BILL" not in mailoutbox[0].body


def test_choosing_again_begins_now_and_choosing_nothing_ends_it(organization, viewer, mailoutbox):
    mine = member_of(organization, viewer)
    services.choose(membership=mine, slugs=["drift"])
    tell(organization, "deploy.failed", make_deploy(organization))
    services.choose(membership=mine, slugs=["drift", "deploy-failures"])
    turn(Destination.objects.get(membership=mine))
    services.choose(membership=mine, slugs=[])

    assert mailoutbox == []
    assert not Destination.objects.exists()
    assert list(
        AuditEvent.objects.filter(target_type="destination")
        .order_by("sequence")
        .values_list("action", flat=True)
    ) == ["destination.created", "destination.changed", "destination.deleted"]
