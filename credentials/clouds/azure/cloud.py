"""Azure as a cloud of credentials."""

from credentials.clouds.azure import cards, clusters, form, roles, ways
from credentials.clouds.base import Cloud, Method

CLOUD = Cloud(
    slug="azure",
    label="Azure",
    methods=(
        Method(
            slug="federation",
            label="Workload identity federation",
            consequence="Entra trusts this console's own tokens. No secret is stored, and none has to be rotated.",
            form=form.FederationForm,
            identify=ways.identify_federation,
            sign_in=ways.by_federation,
            keyless=True,
            obstacle=ways.obstacle,
            cards=cards.federation,
        ),
        Method(
            slug="service-principal",
            label="Service principal with a secret",
            consequence="An app registration of its own with a client secret, which expires. You rotate it.",
            form=form.SecretsForm,
            identify=ways.identify_secret,
            sign_in=ways.by_secret,
            for_accesses=True,
            cards=cards.secret,
        ),
    ),
    words={
        "subscription_name": "Subscription",
        "subscription": "Subscription ID",
        "client": "Client ID",
        "tenant": "Tenant ID",
        "object": "Service principal's object ID",
        "environment": "Cloud",
    },
    policy=lambda facts: roles.definition(facts.get("subscription", "")),
    policy_note="A custom role, as az role definition create takes it with --role-definition, to be assigned on the "
    "subscription. It finds AKS clusters and reads where they answer; what may be done in a cluster is granted there.",
    examples=("azure-prod", "azure-staging-westeurope"),
    finder=clusters.FINDER,
)
