"""The providers: one module each, one line in one tuple."""

from accesses.providers import aws_secrets_manager
from accesses.providers.base import (
    ConfigurationForm,
    Entry,
    Method,
    Page,
    Provider,
    SecretField,
    SecretManager,
    SuggestingInput,
)
from credentials.clouds.errors import (
    CredentialRefused,
    NotPossibleHere,
    NotReachable,
    NotThere,
    PermissionMissing,
    ProviderError,
    Throttled,
    TrustMissing,
)

PROVIDERS: dict[str, Provider] = {provider.slug: provider for provider in (aws_secrets_manager.PROVIDER,)}

__all__ = [
    "PROVIDERS",
    "ConfigurationForm",
    "CredentialRefused",
    "Entry",
    "Method",
    "NotPossibleHere",
    "NotReachable",
    "NotThere",
    "Page",
    "PermissionMissing",
    "Provider",
    "ProviderError",
    "SecretField",
    "SecretManager",
    "SuggestingInput",
    "Throttled",
    "TrustMissing",
]
