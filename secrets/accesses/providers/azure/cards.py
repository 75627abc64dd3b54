"""What the cards of Azure's ways show."""

from typing import TYPE_CHECKING, Any

from accesses.providers import tokens
from accesses.providers.azure import script
from accesses.providers.azure.ways import AUDIENCE

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft


def of(access: "Access | AccessDraft") -> dict[str, Any]:
    """Return the lines of each of Azure's ways; the vault's name is in them as soon as it was entered."""
    cluster, vault = access.cluster, access.configuration.get("vault", "")
    subject, name = tokens.subject(access), f"keyhaven-{cluster.name}-{access.pk.hex[:8]}"
    listings = {
        "workload-identity": lambda: script.workload_identity_listing(vault, name, cluster.issuer, subject),
        "service-principal": lambda: script.principal_listing(vault, name),
        "ambient": lambda: script.managed_listing(vault, cluster.cloud_name),
    }
    return {
        "issuer": cluster.issuer,
        "subject": subject,
        "audience": AUDIENCE,
        "vault": vault,
        "namespace": cluster.operator_namespace,
        "service_account": access.service_account,
        "shell_url": "https://shell.azure.com",
        "listing": listings[access.method](),
    }
