"""AWS as a cloud of credentials."""

from credentials.clouds import aws
from credentials.clouds.aws import cards, clusters, console, form, keyring, policies, role
from credentials.clouds.base import Cloud, Facts, Method


def _policy(facts: Facts) -> str:
    """Return what this identity needs; a role may not change itself."""
    own = facts.get("arn", "") if ":role/" in facts.get("arn", "") else ""
    return policies.for_aws(facts.get("account", "ACCOUNT_ID"), facts.get("partition", "aws"), own)


CLOUD = Cloud(
    slug="aws",
    label="AWS",
    methods=(
        Method(
            slug="role",
            label="IAM role",
            consequence="Keyhaven assumes it with an external id of this organization. No key is stored, and none has "
            "to be rotated.",
            form=role.RoleForm,
            identify=role.identify,
            sign_in=role.sign_in,
            keyless=True,
            obstacle=console.obstacle,
            cards=cards.for_role,
        ),
        Method(
            slug="static",
            label="Access key",
            consequence="Of an IAM user of its own, with the policy that Keyhaven shows. You rotate it.",
            form=form.KeysForm,
            identify=form.identify,
            sign_in=lambda secret, facts: aws.Keys.of(secret),
            for_accesses=True,
            cards=cards.for_keys,
            keyring=keyring.KEYRING,
        ),
    ),
    words={
        "arn": "ARN",
        "account": "Account",
        "key_id": "Access key ID",
        "external_id": "External ID",
        "session": "In CloudTrail",
    },
    policy=_policy,
    policy_note="For finding clusters, and for roles that deploys make and Keyhaven checks. In place of typed keys of an "
    "access, it also needs what that access's page lists. To learn who it is, AWS asks for no permission.",
    examples=("aws-prod-us-east-1", "aws-staging"),
    finder=clusters.FINDER,
)
