"""The providers: one module each, one line in one tuple."""

from accesses.providers import (
    aws_parameter_store,
    aws_secrets_manager,
    azure_key_vault,
    built_in,
    conjur,
    delinea_devops_secrets_vault,
    delinea_secret_server,
    doppler,
    gcp_secret_manager,
    http,
    kubernetes,
    vault,
)
from accesses.providers.asking import Refusal
from accesses.providers.base import (
    ConfigurationForm,
    Entry,
    Method,
    Obstacle,
    Other,
    Page,
    Probe,
    Provider,
    SecretField,
    SecretManager,
    Situation,
    TellsChanges,
)
from accesses.providers.writing import Writes, Writing
from credentials.clouds.errors import (
    AlreadyThere,
    CredentialRefused,
    NotPossibleHere,
    NotReachable,
    NotThere,
    PermissionMissing,
    ProviderError,
    Throttled,
    TrustMissing,
)

PROVIDERS: dict[str, Provider] = {
    provider.slug: provider
    for provider in (
        aws_secrets_manager.PROVIDER,
        aws_parameter_store.PROVIDER,
        azure_key_vault.PROVIDER,
        built_in.PROVIDER,
        conjur.PROVIDER,
        doppler.PROVIDER,
        delinea_devops_secrets_vault.PROVIDER,
        delinea_secret_server.PROVIDER,
        gcp_secret_manager.PROVIDER,
        http.PROVIDER,
        kubernetes.PROVIDER,
        vault.PROVIDER,
    )
}

__all__ = [
    "PROVIDERS",
    "AlreadyThere",
    "ConfigurationForm",
    "CredentialRefused",
    "Entry",
    "Method",
    "NotPossibleHere",
    "NotReachable",
    "NotThere",
    "Obstacle",
    "Other",
    "Page",
    "PermissionMissing",
    "Probe",
    "Provider",
    "ProviderError",
    "Refusal",
    "SecretField",
    "SecretManager",
    "Situation",
    "TellsChanges",
    "Throttled",
    "TrustMissing",
    "Writes",
    "Writing",
]
