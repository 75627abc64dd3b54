"""The app's models, each beside its resource."""

from accounts.audit.models import AuditEvent
from accounts.organizations.models import Membership, Organization, User
from accounts.querysets import OwnedQuerySet

__all__ = ["AuditEvent", "Membership", "Organization", "OwnedQuerySet", "User"]
