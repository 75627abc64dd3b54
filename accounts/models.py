"""The app's models, each beside its resource."""

from accounts.audit.models import AuditDigest, AuditEvent, AuditHead, AuditKey, AuditMark
from accounts.audit.saved_views import AuditView
from accounts.encryption.models import EncryptionKey
from accounts.invitations.models import Invitation
from accounts.organizations.models import CustomRole, Membership, Organization, User
from accounts.outgoing.models import Delivery, Destination, Noted
from accounts.querysets import OwnedQuerySet
from accounts.single_sign_on.models import Domain, Identity, IdentityProvider
from accounts.tokens.models import ApiToken, IdempotencyKey

__all__ = [
    "ApiToken",
    "AuditDigest",
    "AuditEvent",
    "AuditHead",
    "AuditKey",
    "AuditMark",
    "AuditView",
    "CustomRole",
    "Delivery",
    "Destination",
    "Domain",
    "EncryptionKey",
    "IdempotencyKey",
    "Identity",
    "IdentityProvider",
    "Invitation",
    "Membership",
    "Noted",
    "Organization",
    "OwnedQuerySet",
    "User",
]
