from credentials.models.credentials import OLD, USES, CloudCredential, CloudCredentialQuerySet
from credentials.models.identities import SigningKey, Subject

__all__ = ["OLD", "USES", "CloudCredential", "CloudCredentialQuerySet", "SigningKey", "Subject"]
