"""Deleting an organization. Its audit log stays: it is only added to, and the one who runs Keyhaven may need it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.utils import timezone

from accounts.audit import services as audit
from accounts.organizations.models import Membership, Organization, User

# What a deleted organization's address becomes, so that another may have it.
CLOSED = "closed-"
# The module of the models that outlive their organization.
AUDIT_LOG = "accounts.audit.models"


@dataclass(frozen=True, slots=True)
class Blocker:
    """A kind of thing that must be gone first, because it reaches outside: its noun, an organization's rows, and the
    page (url name, name of its argument) on which one is taken away."""

    noun: str
    rows: Callable[[Organization], models.QuerySet[Any]]
    page: str
    argument: str


_blockers: list[Blocker] = []


class InUse(Exception):
    """Something reaches outside; taking it away is a decision about each."""

    def __init__(self, things: list[tuple[Blocker, str]]) -> None:
        self.things = things
        count = len(things)
        super().__init__(f"{count} {things[0][0].noun}{'s are' if count > 1 else ' is'} still connected.")


def register(blocker: Blocker) -> None:
    """Add a kind of thing that keeps an organization from being deleted, once."""
    if blocker.page not in {one.page for one in _blockers}:
        _blockers.append(blocker)


def in_the_way(organization: Organization) -> list[tuple[Blocker, str]]:
    """Return what must go first, by name."""
    return [
        (blocker, str(name))
        for blocker in _blockers
        for name in blocker.rows(organization).order_by("name").values_list("name", flat=True)
    ]


def _owned() -> Iterable[tuple[type[models.Model], str]]:
    """Return every model with a reference to an organization, and the reference's name; the audit log stays."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if field.related_model is Organization and model.__module__ != AUDIT_LOG:
                yield model, field.name


def what_goes(organization: Organization) -> list[tuple[int, str]]:
    """Return how many rows of each kind are erased, with the kind's name, none of which there is nothing."""
    counts = [
        (model._base_manager.filter(**{name: organization}).count(), model._meta) for model, name in _owned()
    ]
    return [(n, str(kind.verbose_name if n == 1 else kind.verbose_name_plural)) for n, kind in counts if n]


@transaction.atomic
def close(*, organization: Organization, by: User) -> None:
    """Delete an organization: nobody is in it any more and all that it stored is erased, its audit log excepted.

    :raises InUse: clusters are still connected
    """
    found = Organization.objects.open().select_for_update().get(pk=organization.pk)
    if things := in_the_way(found):
        raise InUse(things)
    people = Membership.objects.owned_by(found).select_related("user").prefetch_related("custom_roles")
    details = {
        "slug": found.slug,
        "members": [f"{one.user.email} ({one.role_names})" for one in people],
        "erased": [f"{count} {kind}" for count, kind in what_goes(found)],
    }
    audit.record(organization=found, by=by, action="organization.closed", target=found, details=details)
    found.deleted_at = timezone.now()
    found.slug = f"{CLOSED}{found.pk}"
    found.save(update_fields=["deleted_at", "slug"])
    User.objects.filter(is_machine=True, memberships__organization=found).delete()
    for model, name in _owned():
        model._base_manager.filter(**{name: found}).delete()
