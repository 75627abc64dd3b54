"""Saved views: filters of the audit log under a name, for everybody who may see it or for one member."""

from typing import Any, Self

from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.http import QueryDict

from accounts.audit import services as audit
from accounts.audit.forms import FILTERS
from accounts.organizations.models import Membership, Organization, User

LONGEST = 1000
# So many may be kept by one member, and so many for everybody.
MOST = 50


class NameTaken(ValueError):
    """There is a view of that name already."""


class TooMany(ValueError):
    """So many views nobody finds his way in."""


class AuditViewQuerySet(models.QuerySet["AuditView"]):
    def seen_by(self, membership: Membership) -> Self:
        """Keep the shared views of an organization, and a member's own."""
        mine = Q(member=None) | Q(member=membership)
        return self.filter(mine, organization=membership.organization_id).order_by("name")


class AuditView(models.Model):
    """A filter of the audit log under a name: its query string, without the page. `member` None is for everybody."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="audit_views")
    member = models.ForeignKey(Membership, models.CASCADE, null=True, blank=True, related_name="audit_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=LONGEST, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AuditViewQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                "organization",
                condition=Q(member=None),
                name="audit_view_name_is_unique_for_all",
            ),
            models.UniqueConstraint(
                Lower("name"),
                "member",
                condition=~Q(member=None),
                name="audit_view_name_is_unique_for_a_member",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_shared(self) -> bool:
        return self.member_id is None


def canonical(query: QueryDict) -> str:
    """Return what of an address is a filter, in one order: two addresses of the same look are the same text."""
    kept = QueryDict(mutable=True)
    for name in FILTERS:
        if value := query.get(name, "").strip():
            kept[name] = value
    return kept.urlencode()


@transaction.atomic
def save(*, membership: Membership, name: str, query: QueryDict, shared: bool, by: User) -> AuditView:
    """Keep a filter under a name.

    :raises NameTaken: there is one of that name
    :raises TooMany: there are as many as can be, or the filter is too long to keep
    """
    view = AuditView(
        organization=membership.organization,
        member=None if shared else membership,
        name=name,
        query=canonical(query),
        created_by=by,
    )
    there = AuditView.objects.filter(organization=view.organization, member=view.member).count()
    if there >= MOST:
        raise TooMany(f"There are {MOST} views already. Delete one first.")
    if len(view.query) > LONGEST:
        raise TooMany("This filter is too long to be kept. Make its text shorter.")
    _write(view)
    _record(view, "audit_view.saved", by, {"filter": view.query or "all events", "for": _for(view)})
    return view


@transaction.atomic
def rename(*, view: AuditView, name: str, by: User) -> None:
    """Give a view another name; the same name is no change.

    :raises NameTaken: there is one of that name
    """
    before = view.name
    if name == before:
        return
    view.name = name
    _write(view)
    _record(view, "audit_view.renamed", by, audit.changes({"name": before}, {"name": name}, {"name": "name"}))


@transaction.atomic
def delete(*, view: AuditView, by: User) -> None:
    """Forget a view; the events stay."""
    _record(view, "audit_view.deleted", by, {"filter": view.query or "all events", "for": _for(view)})
    view.delete()


def _for(view: AuditView) -> str:
    return "everybody" if view.is_shared else "oneself"


def _write(view: AuditView) -> None:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as error:
        raise NameTaken(f"There is a view named {view.name} already.") from error


def _record(view: AuditView, action: str, by: User, details: dict[str, Any]) -> None:
    audit.record(organization=view.organization, by=by, action=action, target=view, details=details)
