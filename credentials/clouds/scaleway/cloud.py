"""Scaleway as a cloud of credentials."""

from credentials.clouds.base import Cloud, Method
from credentials.clouds.scaleway import asking, form, kapsule, keyring, policies

CLOUD = Cloud(
    slug="scaleway",
    label="Scaleway",
    methods=(
        Method(
            slug="key",
            label="API key",
            consequence="Of an application of its own, with the policy that Keyhaven shows. Scaleway has no way without a key; "
            "give it an end, and replace it before.",
            form=form.KeyForm,
            identify=form.identify,
            sign_in=lambda secret, facts: asking.Identity.of(secret),
            cards=policies.cards,
            keyring=keyring.KEYRING,
        ),
    ),
    words={
        "project": "Project",
        "organization": "Organization",
        "region": "Region",
        "key_id": "Access key",
        "application": "Application",
        "user": "User",
        "description": "Description",
    },
    policy=policies.clusters,
    policy_note=policies.NOTE,
    policy_file="policy.sh",
    examples=("scaleway-prod", "scaleway-staging-fr-par"),
    finder=kapsule.FINDER,
)
