"""Reading the team: a page of it, in as many queries for five people as for five hundred."""

from dataclasses import dataclass

from django.apps import apps
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Collate
from django.utils import timezone

from accounts import delegation
from accounts.authority import Authority
from accounts.organizations.models import Membership, Organization

PAGE = 50


@dataclass(frozen=True, slots=True)
class Team:
    """One page of the people, how many there are in all and of the search, and the member to go on after."""

    rows: list[Membership]
    found: int
    total: int
    more: int | None


def _people(organization: Organization) -> QuerySet[Membership]:
    """Return the people by name, each with `second_factor` where that is known."""
    owned = Membership.objects.owned_by(organization).filter(user__is_machine=False)
    people = owned.select_related("user").prefetch_related("custom_roles")
    people = people.annotate(by_name=Collate(F("user__name"), "C")).order_by("by_name", "pk")
    if not apps.is_installed("allauth.mfa"):
        return people
    factors = apps.get_model("mfa", "Authenticator")._base_manager.filter(user=OuterRef("user"))
    return people.annotate(second_factor=Exists(factors.exclude(type="recovery_codes")))


def page(organization: Organization, q: str, after: int | None) -> Team:
    """Return a page of the people whose name or address has a part, from behind a member on."""
    people = _people(organization)
    total = Membership.objects.owned_by(organization).filter(user__is_machine=False).count()
    wanted = people.filter(Q(user__name__icontains=q) | Q(user__email__icontains=q)) if q else people
    found = wanted.count() if q else total
    last = people.filter(pk=after).first() if after else None
    if last is not None:
        name = last.user.name
        wanted = wanted.filter(Q(by_name__gt=name) | Q(by_name=name, pk__gt=last.pk))
    rows = list(wanted[: PAGE + 1])
    return Team(rows[:PAGE], found, total, rows[PAGE - 1].pk if len(rows) > PAGE else None)


def machines(organization: Organization) -> list[Membership]:
    """Return the machines, which act by an organization's API token, each with `usable` tokens counted."""
    usable = Q(tokens__revoked_at=None) & (
        Q(tokens__expires_at=None) | Q(tokens__expires_at__gt=timezone.now())
    )
    owned = Membership.objects.owned_by(organization).filter(user__is_machine=True)
    counted = owned.annotate(usable=Count("tokens", filter=usable)).order_by("user__name", "pk")
    return list(counted.select_related("user").prefetch_related("custom_roles"))


def changeable(authority: Authority, member: Membership) -> bool:
    """Tell whether somebody may change what a member may: only who holds as much."""
    return not delegation.may_give(authority, member.authority.layers[0])
