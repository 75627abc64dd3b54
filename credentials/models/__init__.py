from credentials.models.credentials import OLD, SOON, USES, CloudCredential, CloudCredentialQuerySet
from credentials.models.identities import SigningKey, Subject

__all__ = ["OLD", "SOON", "USES", "CloudCredential", "CloudCredentialQuerySet", "SigningKey", "Subject"]
