"""CloudFormation: our templates, where they were published, and the ways to create a stack from one."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from credentials.clouds.aws import regions
from credentials.published import YAML, Published

_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}
PUBLISH = "python manage.py publish_template --bucket BUCKET --region {region} --create-bucket"


CONSOLE = Published("keyhaven-console-role.yaml", Path(__file__).parent / "console-role.yaml", YAML)

# Who remembers where templates were published, by digest and region; set by the app that publishes them.
type Finder = Callable[[str, str], str]
_found_by: list[Finder] = []


def found_by(find: Finder) -> None:
    """Let `find(digest, region)` say where a template is published, for the partition of a region; empty is nowhere."""
    _found_by[:] = [find]


def published(template: Published, region: str) -> str:
    """Return where this very template was published for the partition of `region`; empty is nowhere."""
    return next((url for find in _found_by if (url := find(template.digest, region))), "")


def console(region: str) -> str:
    """Return the host of the AWS console for a region, in the region's partition."""
    return f"{region}.{_CONSOLES[regions.partition_of(region)]}"


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


def deploy_command(*, file: str, region: str, stack_name: str, parameters: Mapping[str, str]) -> str:
    """Return the command that creates or updates the stack from the downloaded template.

    It names all parameters: an update keeps the former value of one that is left out.
    """
    given = [shlex.quote(f"{name}={value}") for name, value in parameters.items()]
    lines = [
        f"aws cloudformation deploy --region {shlex.quote(region)}",
        f"--template-file {file} --stack-name {shlex.quote(stack_name)}",
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
