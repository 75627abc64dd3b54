"""The providers: one module each, one line in one tuple."""

from collections.abc import Iterable

from accesses.providers.asking import Refusal
from accesses.providers.aws import parameter_store as aws_parameter_store
from accesses.providers.aws import secrets_manager as aws_secrets_manager
from accesses.providers.azure import key_vault as azure_key_vault
from accesses.providers.base import (
    GROUPS,
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
    TellsEnd,
)
from accesses.providers.beyondtrust import record as beyondtrust
from accesses.providers.conjur import record as conjur
from accesses.providers.delinea import devops_secrets_vault as delinea_devops_secrets_vault
from accesses.providers.delinea import secret_server as delinea_secret_server
from accesses.providers.doppler import record as doppler
from accesses.providers.elasticsearch import record as elasticsearch
from accesses.providers.gateway import built_in
from accesses.providers.google import secret_manager as gcp_secret_manager
from accesses.providers.http import record as http
from accesses.providers.kubernetes import record as kubernetes
from accesses.providers.onepassword import record as onepassword
from accesses.providers.vault import record as vault
from accesses.providers.writing import Writes, Writing
from credentials.clouds.errors import (
    AlreadyThere,
    ClusterSilent,
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
        beyondtrust.PROVIDER,
        built_in.PROVIDER,
        conjur.PROVIDER,
        delinea_devops_secrets_vault.PROVIDER,
        delinea_secret_server.PROVIDER,
        doppler.PROVIDER,
        elasticsearch.PROVIDER,
        gcp_secret_manager.PROVIDER,
        http.PROVIDER,
        kubernetes.PROVIDER,
        onepassword.PROVIDER,
        vault.PROVIDER,
    )
}


def grouped(providers: Iterable[Provider]) -> list[tuple[str, list[Provider]]]:
    """Return providers under the headings of their groups, in the order in which pages show them."""
    found = list(providers)
    groups = {group: [one for one in found if one.group == group] for group in GROUPS}
    return [(group, ones) for group, ones in groups.items() if ones]


__all__ = [
    "PROVIDERS",
    "AlreadyThere",
    "ClusterSilent",
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
    "TellsEnd",
    "Throttled",
    "TrustMissing",
    "Writes",
    "Writing",
    "grouped",
]
