"""Signing in, in the audit log: what concerns a person is written in each organization that the person is in."""

from typing import Any

from django.db import transaction

from accounts.audit import services as audit
from accounts.organizations.models import Organization, User
from accounts.sign_in import limits


@transaction.atomic
def everywhere(*, user: User, action: str, by: User | None, details: dict[str, Any] | None = None) -> None:
    """Append an event about a person to the log of each of the person's organizations."""
    # Always in the same order: each append locks its organization.
    for organization in Organization.objects.filter(memberships__user=user).order_by("pk"):
        audit.record(organization=organization, by=by, action=action, target=user, details=details)


def failed(*, user: User | None, action: str, details: dict[str, Any], by: User | None = None) -> None:
    """Write what did not work, of somebody who exists, so many times an hour: an attack cannot flood the log."""
    if user is not None and not user.is_machine and not limits.WRITTEN.take(action, user.pk):
        everywhere(user=user, action=action, by=by, details=details)
