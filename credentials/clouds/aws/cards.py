"""The numbered steps in an AWS account that lead to a credential."""

import shlex

from credentials.clouds.aws import console, keyring, policies, regions, stacks
from credentials.clouds.base import Card, Facts, Helped, Listing

ROLE_NAME = STACK = USER = "keyhaven-console"
POLICY_FILE = "keyhaven-policy.json"


def parameters(principal: str, external_id: str, *, automatic: bool = False) -> dict[str, str]:
    """Return the template's parameters."""
    return {
        "ConsolePrincipal": principal,
        "ExternalId": external_id,
        "AutomaticAccess": "yes" if automatic else "no",
        "RoleName": ROLE_NAME,
    }


def _region(partition: str) -> str:
    return regions.PARTITIONS.get(partition, regions.PARTITIONS["aws"])[1]


def for_role(helped: Helped) -> tuple[Card, ...]:
    """Return how a role comes to be: a stack, its ARN; and the same by hand."""
    principal = console.principal() or policies.PRINCIPAL
    partition = helped.facts.get("partition") or principal.partition(":")[2].partition(":")[0] or "aws"
    region = _region(partition)
    asked = parameters(principal, helped.subject)
    return (_stack(principal, region, asked), _arn(region), _by_hand(principal, partition, helped))


def _unknown(principal: str) -> str:
    if principal != policies.PRINCIPAL:
        return ""
    return (
        f" AWS could not be asked just now who the console is: put its ARN in place of {policies.PRINCIPAL}."
    )


def _stack(principal: str, region: str, asked: dict[str, str]) -> Card:
    url = stacks.published(stacks.CONSOLE, region) if not _unknown(principal) else ""
    link = stacks.quick_create_url(template_url=url, region=region, stack_name=STACK, parameters=asked)
    command = stacks.deploy_command(
        file=stacks.CONSOLE.file, region=region, stack_name=STACK, parameters=asked
    )
    said = (
        "It makes one role, which lets the console in for this organization alone: the external id sees to that. The "
        "role lists and describes EKS clusters. With AutomaticAccess=yes, deploys may also make the roles of accesses, "
        "all of them named keyhaven-*. The stack may be in any region."
    )
    listings = [
        Listing("The command", command),
        Listing("The template", stacks.CONSOLE.text, stacks.CONSOLE.file),
    ]
    if not url:
        listings.append(Listing("For a link in place of the command", stacks.PUBLISH.format(region=region)))
    return Card(
        "Create the stack",
        said + _unknown(principal),
        tuple(listings),
        ("Open CloudFormation with everything filled in", link) if url else None,
    )


def _arn(region: str) -> Card:
    return Card(
        "Copy the role's ARN",
        "The stack's output RoleARN has it, after about a minute.",
        (Listing("The command", stacks.output_command(region=region, stack_name=STACK)),),
    )


def _by_hand(principal: str, partition: str, helped: Helped) -> Card:
    account = helped.facts.get("account", "ACCOUNT_ID")
    arn = helped.facts.get("arn") or f"arn:{partition}:iam::{account}:role/{ROLE_NAME}"
    return Card(
        "Or make the role by hand",
        "In place of the stack: a role whose name begins with keyhaven-, with this trust policy and this policy. The "
        "trust policy has to name the external id; Keyhaven refuses a role that does not ask for it."
        + _unknown(principal),
        (
            Listing("The trust policy", policies.trust(principal, helped.subject), "keyhaven-trust.json"),
            Listing("The policy", policies.for_aws(account, partition, arn), POLICY_FILE),
        ),
        beside=True,
    )


def for_keys(helped: Helped) -> tuple[Card, ...]:
    """Return how an access key comes to be: a user, its policy, its key."""
    facts = helped.facts
    partition = facts.get("partition", "aws")
    user = shlex.quote(_user(facts))
    users = f"https://{stacks.console(_region(partition))}/iam/home#/users/create"
    return (
        Card(
            "Create an IAM user",
            "One of its own, for Keyhaven alone and without a password for the AWS console.",
            (
                Listing(
                    "The command",
                    f"aws iam create-user --user-name {user} --tags Key=managed-by,Value=keyhaven",
                ),
            ),
            ("Create a user in the AWS console", users),
        ),
        _attach(facts, partition, user),
        Card(
            "Create an access key",
            "AWS shows its secret once: enter it here at once, and keep it nowhere else. Replace it every 90 days; with "
            "the second policy, Keyhaven does that itself.",
            (Listing("The command", f"aws iam create-access-key --user-name {user}"),),
        ),
    )


def _user(facts: Facts) -> str:
    arn = facts.get("arn", "")
    return arn.rpartition("/")[2] if ":user/" in arn else USER


def _attach(facts: Facts, partition: str, user: str) -> Card:
    account = facts.get("account", "ACCOUNT_ID")
    own = keyring.policy(
        facts if facts.get("arn") else facts | {"arn": f"arn:{partition}:iam::{account}:user/{USER}"}
    )
    put = "aws iam put-user-policy --user-name {} --policy-name {} --policy-document file://{}"
    keys_file = "keyhaven-keys.json"
    known = "" if facts.get("account") else " Put the account's twelve digits in place of ACCOUNT_ID."
    return Card(
        "Give it the least policy",
        "What finding clusters and automatic access need, and, if Keyhaven is to replace the user's keys by itself, what "
        f"that needs.{known}",
        (
            Listing("The policy", policies.for_aws(account, partition), POLICY_FILE),
            Listing("The command", put.format(user, "keyhaven", POLICY_FILE)),
            Listing("The policy to replace its own keys", own, keys_file),
            Listing("The command for that", put.format(user, "keyhaven-keys", keys_file)),
        ),
    )
