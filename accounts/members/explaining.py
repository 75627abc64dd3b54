"""Why a member may do something: in words, by the roles that allow it."""

from dataclasses import dataclass

from accounts.authority import Grant
from accounts.organizations.models import Membership, Organization
from accounts.roles import GROUPS, OF_A_CLUSTER, Permission

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
    def placed(self) -> bool:
        """Whether it is allowed in places; else it concerns the whole organization."""
        return self.permission in OF_A_CLUSTER

    @property
    def everywhere(self) -> bool:
        return not self.placed or any(grant.scope.unlimited for grant in self.because)


def ask(membership: Membership, permission: Permission, place: Place) -> Answer:
    """Answer for one member; what concerns the whole organization is in no place."""
    where = place if permission in OF_A_CLUSTER else {}
    return Answer(permission, tuple(membership.authority.because(permission, **where)))


def of(membership: Membership, place: Place) -> list[tuple[str, list[Answer]]]:
    """Return an answer for every permission, by group; a dimension that is None is not asked about."""
    return [(title, [ask(membership, one, place) for one in permissions]) for title, permissions in GROUPS]


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
