"""The CloudFormation template of the role, and the ways to create a stack from it."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from accesses.models import PublishedTemplate
from accesses.setup import policies
from credentials.clouds.aws import regions as aws_regions
from credentials.clouds.aws import stacks
from credentials.published import YAML, Published

FILE = "keyhaven-role.yaml"
ROLE_NAME = "keyhaven-secrets-manager-role"
SERVICES = {
    policies.SECRETS_MANAGER: "SecretsManager",
    policies.PARAMETER_STORE: "ParameterStore",
}
TEMPLATE = Published(FILE, Path(__file__).parent / "role.yaml", YAML)
console, quick_create_url, output_command = stacks.console, stacks.quick_create_url, stacks.output_command


def text() -> str:
    """Return the template."""
    return TEMPLATE.text


def digest() -> str:
    """Return the template's SHA-256 in hex."""
    return TEMPLATE.digest


def parameters(
    *,
    provider: str,
    issuer: str,
    namespace: str,
    service_account: str,
    role_name: str = ROLE_NAME,
    prefix: str = "",
    create_provider: bool = False,
) -> dict[str, str]:
    """Return the template's parameters."""
    return {
        "OIDCProviderURL": issuer,
        "RoleName": role_name,
        "Namespace": namespace,
        "ServiceAccount": service_account,
        "Service": SERVICES[provider],
        "NamePrefix": prefix,
        "CreateOIDCProvider": "yes" if create_provider else "no",
    }


def role_name(service_account: str) -> str:
    """Return a name for the role that no other access of the account has."""
    return f"{service_account}-secrets"


def stack_name(service_account: str) -> str:
    """Return a name for the stack: letters, digits and hyphens, a letter first, at most 128."""
    return f"{service_account}-secrets"


def deploy_command(*, region: str, stack_name: str, parameters: Mapping[str, str]) -> str:
    """Return the command that creates or updates the stack from the downloaded template."""
    return stacks.deploy_command(file=FILE, region=region, stack_name=stack_name, parameters=parameters)


def pod_identity_command(*, region: str, cluster: str, namespace: str, service_account: str) -> str:
    """Return the command that gives a role to one ServiceAccount's Pods; the role's ARN is to be filled in."""
    return (
        f"aws eks create-pod-identity-association --region {shlex.quote(region)} \\\n"
        f"  --cluster-name {shlex.quote(cluster)} --namespace {shlex.quote(namespace)} \\\n"
        f"  --service-account {shlex.quote(service_account)} --role-arn ROLE_ARN"
    )


def _of_partition(region: str) -> Iterator[PublishedTemplate]:
    """Yield what was published for the partition of a region, the newest first."""
    here = aws_regions.partition_of(region)
    found = PublishedTemplate.objects.order_by("-published_at", "-pk")
    return (row for row in found if aws_regions.partition_of(row.region) == here)


def published(region: str) -> PublishedTemplate | None:
    """Return where the template was last published for the partition of `region`; it may be an older one."""
    return next((row for row in _of_partition(region) if not _is_consoles(row)), None)


def address(digest: str, region: str) -> str:
    """Return where a template was published for the partition of `region`; empty where it was not."""
    return next((row.url for row in _of_partition(region) if row.digest == digest), "")


def remember(template: Published, region: str, url: str) -> None:
    """Note where a template was published, one address for each of a region."""
    rows = PublishedTemplate.objects.filter(region=region)
    ours = next((row for row in rows if _is_consoles(row) is (template is stacks.CONSOLE)), None)
    row = ours or PublishedTemplate(region=region)
    row.url, row.digest = url, template.digest
    row.save()


def _is_consoles(row: PublishedTemplate) -> bool:
    """Tell whether a row is of the console's own role, which has a template beside this one."""
    return row.url.rpartition("/")[2].startswith(stacks.CONSOLE.stem)


def is_current(row: PublishedTemplate) -> bool:
    """Tell whether what was published is this version's template."""
    return row.digest == digest()
