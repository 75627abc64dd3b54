"""The CloudFormation template of the role, and the ways to create a stack from it."""

import functools
import hashlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from accesses.models import PublishedTemplate
from accesses.setup import policies
from credentials.clouds.aws import regions as aws_regions

FILE = "keyhaven-role.yaml"
ROLE_NAME = "keyhaven-secrets-manager-role"
SERVICES = {
    policies.SECRETS_MANAGER: "SecretsManager",
    policies.PARAMETER_STORE: "ParameterStore",
}
_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}


@functools.cache
def text() -> str:
    """Return the template."""
    return (Path(__file__).parent / "role.yaml").read_text()


@functools.cache
def digest() -> str:
    """Return the template's SHA-256 in hex."""
    return hashlib.sha256(text().encode()).hexdigest()


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


def console(region: str) -> str:
    """Return the host of the AWS console for a region, in the region's partition."""
    return f"{region}.{_CONSOLES[aws_regions.partition_of(region)]}"


def quick_create_url(
    *, template_url: str, region: str, stack_name: str, parameters: Mapping[str, str]
) -> str:
    """Return the address of the AWS console's page that creates the stack, with everything filled in."""
    asked = {"templateURL": template_url, "stackName": stack_name}
    asked |= {f"param_{name}": value for name, value in parameters.items()}
    query = urlencode(asked, quote_via=quote, safe="")
    return (
        f"https://{console(region)}/cloudformation/home?region={quote(region, safe='')}"
        f"#/stacks/quickcreate?{query}"
    )


def deploy_command(*, region: str, stack_name: str, parameters: Mapping[str, str]) -> str:
    """Return the command that creates or updates the stack from the downloaded template.

    It names all parameters: an update keeps the former value of one that is left out.
    """
    given = [shlex.quote(f"{name}={value}") for name, value in parameters.items()]
    lines = [
        f"aws cloudformation deploy --region {shlex.quote(region)}",
        f"--template-file {FILE} --stack-name {shlex.quote(stack_name)}",
        "--capabilities CAPABILITY_NAMED_IAM --tags managed-by=keyhaven",
        "--parameter-overrides",
    ]
    return " \\\n  ".join([*lines, *(f"  {one}" for one in given)])


def output_command(*, region: str, stack_name: str) -> str:
    """Return the command that prints the role's ARN."""
    return (
        "aws cloudformation describe-stacks \\\n"
        f"  --region {shlex.quote(region)} --stack-name {shlex.quote(stack_name)} \\\n"
        "  --query \"Stacks[0].Outputs[?OutputKey=='RoleARN'].OutputValue\" --output text"
    )


def pod_identity_command(*, region: str, cluster: str, namespace: str, service_account: str) -> str:
    """Return the command that gives a role to one ServiceAccount's Pods; the role's ARN is to be filled in."""
    return (
        f"aws eks create-pod-identity-association --region {shlex.quote(region)} \\\n"
        f"  --cluster-name {shlex.quote(cluster)} --namespace {shlex.quote(namespace)} \\\n"
        f"  --service-account {shlex.quote(service_account)} --role-arn ROLE_ARN"
    )


def published(region: str) -> PublishedTemplate | None:
    """Return where the template was last published for the partition of `region`; it may be an older one."""
    here = aws_regions.partition_of(region)
    found = (row for row in PublishedTemplate.objects.order_by("-published_at", "-pk"))
    return next((row for row in found if aws_regions.partition_of(row.region) == here), None)


def is_current(row: PublishedTemplate) -> bool:
    """Tell whether what was published is this version's template."""
    return row.digest == digest()
