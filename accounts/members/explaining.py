"""Why a member may do something: in words, by the roles that allow it."""

from dataclasses import dataclass

from accounts.authority import Grant
from accounts.organizations.models import Membership, Organization
from accounts.roles import GROUPS, Permission

type Place = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether an act is allowed, and the roles because of which."""

    permission: Permission
    because: tuple[Grant, ...]

    @property
    def allowed(self) -> bool:
        return bool(self.because)

    @property
    def everywhere(self) -> bool:
        return any(grant.scope.unlimited for grant in self.because)


def of(membership: Membership, place: Place) -> list[tuple[str, list[Answer]]]:
    """Return an answer for every permission, by group; a dimension that is None is not asked about."""
    return [
        (title, [Answer(one, tuple(membership.authority.because(one, **place))) for one in permissions])
        for title, permissions in GROUPS
    ]


def who(organization: Organization, permission: Permission, place: Place) -> list[tuple[Membership, Answer]]:
    """Return everybody, people and machines, who may do something in a place, in two queries."""
    members = Membership.objects.owned_by(organization).filter(user__is_active=True)
    ordered = members.select_related("user").prefetch_related("custom_roles").order_by("user__name", "pk")
    answers = (
        (one, Answer(permission, tuple(one.authority.because(permission, **place)))) for one in ordered
    )
    return [(member, answer) for member, answer in answers if answer.allowed]


def words(place: Place) -> str:
    """Return a place in words, with a space before it; nothing when nothing is asked."""
    parts = (("on cluster", "cluster"), ("in namespace", "namespace"), ("for secret", "secret"))
    return "".join(f" {word} {place[name]}" for word, name in parts if place.get(name))
