"""What is run at Azure: the script that makes the identity, and the same as plain az lines."""

import shlex
from pathlib import Path

from credentials.clouds.azure import of, roles
from credentials.clouds.base import Facts, Helped
from credentials.published import Published

FILE = "create_credentials_azure.sh"
SCRIPT = Published(FILE, Path(__file__).parent / FILE)
FEDERATION, SECRET = "federation", "secret"
# The role's name in a shell that knows the subscription.
_NAME = f'"{roles.name("")} ${{SUBSCRIPTION:0:8}}"'


def command(way: str, helped: Helped) -> str:
    """Return the command that downloads the script, checks it, and only then runs it."""
    words = [way, _subscription(helped.facts)]
    if way == FEDERATION:
        words += [shlex.quote(word) for word in (helped.issuer, helped.subject, of(helped.facts).audience)]
    return f"{SCRIPT.fetched(helped.base_url)}{SCRIPT.checked()}bash {FILE} {' '.join(words)}"


def listing(way: str, helped: Helped) -> str:
    """Return what the script does as az lines, for a tenant that has none of it yet."""
    return "\n".join(
        [
            f"SUBSCRIPTION={_subscription(helped.facts)}",
            f"CLIENT=$(az ad app create --display-name {roles.APP} --sign-in-audience AzureADMyOrg \\",
            "  --query appId -o tsv)",
            'PRINCIPAL=$(az ad sp create --id "$CLIENT" --query id -o tsv)',
            *_proof(way, helped),
            f"az role definition create --role-definition {_role(helped.facts)}",
            f"az role assignment create --role {_role_name(helped.facts)} \\",
            '  --assignee-object-id "$PRINCIPAL" --assignee-principal-type ServicePrincipal \\',
            '  --scope "/subscriptions/$SUBSCRIPTION"',
            'az account show --subscription "$SUBSCRIPTION" --query tenantId -o tsv; echo "$CLIENT"',
        ]
    )


def _proof(way: str, helped: Helped) -> list[str]:
    if way == SECRET:
        return [secret_line('"$CLIENT"')]
    trust = roles.federated_credential(helped.issuer, helped.subject, of(helped.facts).audience)
    return [f'az ad app federated-credential create --id "$CLIENT" --parameters {shlex.quote(trust)}']


def secret_line(client: str) -> str:
    """Return the line that makes another client secret and leaves those that are there; `client` is a shell's word."""
    return (
        f"az ad app credential reset --id {client} --append --years 1 \\\n"
        '  --display-name "keyhaven $(date -u +%Y-%m-%d)" --query password -o tsv'
    )


def _subscription(facts: Facts) -> str:
    """Return the subscription for a shell; Cloud Shell knows its own."""
    return facts.get("subscription") or '"$(az account show --query id -o tsv)"'


def _role_name(facts: Facts) -> str:
    return shlex.quote(roles.name(facts["subscription"])) if facts.get("subscription") else _NAME


def _role(facts: Facts) -> str:
    """Return the custom role for a shell, which fills in what is not known yet."""
    quoted = shlex.quote(roles.definition(facts.get("subscription", "")))
    if facts.get("subscription"):
        return quoted
    return quoted.replace(roles.name(""), f"'{_NAME}'").replace(roles.UNKNOWN, "'\"$SUBSCRIPTION\"'")
