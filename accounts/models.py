"""The app's models, each beside its resource."""

from accounts.audit.models import AuditDigest, AuditEvent, AuditHead, AuditKey, AuditMark
from accounts.invitations.models import Invitation
from accounts.organizations.models import CustomRole, Membership, Organization, User
from accounts.querysets import OwnedQuerySet
from accounts.tokens.models import ApiToken

__all__ = [
    "ApiToken",
    "AuditDigest",
    "AuditEvent",
    "AuditHead",
    "AuditKey",
    "AuditMark",
    "CustomRole",
    "Invitation",
    "Membership",
    "Organization",
    "OwnedQuerySet",
    "User",
]
