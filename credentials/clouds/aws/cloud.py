"""AWS as a cloud of credentials."""

from credentials.clouds import aws, policies
from credentials.clouds.aws import clusters, form
from credentials.clouds.base import Cloud, Method

CLOUD = Cloud(
    slug="aws",
    label="AWS",
    methods=(
        Method(
            slug="static",
            label="Access key",
            consequence="Of an IAM user of its own, with the policy that Keyhaven shows. You rotate it.",
            form=form.KeysForm,
            identify=form.identify,
            sign_in=lambda secret, facts: aws.Keys.of(secret),
            for_accesses=True,
        ),
    ),
    words={"arn": "ARN", "account": "Account", "key_id": "Access key ID"},
    policy=lambda facts: policies.for_aws(facts.get("account", "ACCOUNT_ID"), facts.get("partition", "aws")),
    policy_note="For roles that deploys make and Keyhaven checks. In place of typed keys of an access, it also needs "
    "what that access's page lists. To learn who it is, AWS asks for no permission.",
    examples=("aws-prod-us-east-1", "aws-staging"),
    finder=clusters.FINDER,
)
