"""What is run at Azure so that an access may read a key vault: az lines, for Cloud Shell."""

import json
import shlex

from accesses.providers.azure.ways import AUDIENCE
from accesses.providers.azure.wording import USER

_OR = "# where the vault has access policies instead of Azure RBAC:"


def _vault(vault: str) -> str:
    return f"VAULT={shlex.quote(vault or 'VAULT_NAME')}"


def _grants() -> list[str]:
    """Return what lets `$PRINCIPAL` list and read the secrets of `$VAULT`, and nothing else there."""
    return [
        f'az role assignment create --role "{USER}" --assignee-object-id "$PRINCIPAL" \\',
        "  --assignee-principal-type ServicePrincipal \\",
        '  --scope "$(az keyvault show --name "$VAULT" --query id -o tsv)"',
        _OR,
        '# az keyvault set-policy --name "$VAULT" --object-id "$PRINCIPAL" --secret-permissions get list',
    ]


def _application(name: str) -> list[str]:
    return [
        f"CLIENT=$(az ad app create --display-name {shlex.quote(name)} --sign-in-audience AzureADMyOrg \\",
        "  --query appId -o tsv)",
        'PRINCIPAL=$(az ad sp create --id "$CLIENT" --query id -o tsv)',
    ]


_TOLD = [
    'echo "Tenant ID:  $(az account show --query tenantId -o tsv)"',
    'echo "Client ID:  $CLIENT"',
]


def workload_identity_listing(vault: str, name: str, issuer: str, subject: str) -> str:
    """Return the lines that make an application which trusts one ServiceAccount of the cluster, and let it read."""
    trust = json.dumps({"name": "cluster", "issuer": issuer, "subject": subject, "audiences": [AUDIENCE]})
    return "\n".join(
        [
            _vault(vault),
            *_application(name),
            f'az ad app federated-credential create --id "$CLIENT" --parameters {shlex.quote(trust)}',
            *_grants(),
            *_TOLD,
        ]
    )


def principal_listing(vault: str, name: str) -> str:
    """Return the lines that make an application with a client secret for a year, and let it read."""
    return "\n".join(
        [
            _vault(vault),
            *_application(name),
            'SECRET=$(az ad app credential reset --id "$CLIENT" --append --years 1 \\',
            '  --display-name "keyhaven $(date -u +%Y-%m-%d)" --query password -o tsv)',
            *_grants(),
            *_TOLD,
            'echo "Client secret:  $SECRET"',
        ]
    )


def managed_listing(vault: str, cluster: str) -> str:
    """Return the lines that let the identity of an AKS cluster's nodes read."""
    return "\n".join(
        [
            _vault(vault),
            f"CLUSTER={shlex.quote(cluster or 'CLUSTER_NAME')}",
            "GROUP=$(az aks list --query \"[?name=='$CLUSTER'].resourceGroup\" -o tsv)",
            'PRINCIPAL=$(az aks show --resource-group "$GROUP" --name "$CLUSTER" \\',
            "  --query identityProfile.kubeletidentity.objectId -o tsv)",
            *_grants(),
        ]
    )
