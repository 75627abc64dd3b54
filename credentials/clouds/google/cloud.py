"""Google Cloud as a cloud of credentials."""

from credentials.clouds.base import Cloud, Method
from credentials.clouds.google import cards, federation, form, gke, keyring, policies

CLOUD = Cloud(
    slug="gcp",
    label="Google Cloud",
    methods=(
        Method(
            slug="federation",
            label="Workload identity federation",
            consequence="Google trusts this console itself. No key is stored, and none has to be rotated.",
            form=federation.FederationForm,
            identify=federation.identify,
            sign_in=federation.sign_in,
            keyless=True,
            cards=cards.federation,
        ),
        Method(
            slug="key",
            label="Service account key",
            consequence="The key.json of a service account of its own, with the role that Keyhaven shows. You rotate it.",
            form=form.KeyForm,
            identify=form.identify,
            sign_in=form.sign_in,
            for_accesses=True,
            cards=cards.key,
            keyring=keyring.KEYRING,
        ),
    ),
    words={
        "email": "Service account",
        "principal": "Principal",
        "project": "Project",
        "provider": "Workload identity provider",
        "key_id": "Key ID",
    },
    policy=lambda facts: policies.role(facts.get("project", "PROJECT_ID")),
    policy_note="A custom role, as gcloud iam roles create takes it with --file. For service accounts that deploys make "
    "and Keyhaven checks. In place of a key of an access, it also needs what that access's page lists.",
    finder=gke.FINDER,
    examples=("gcp-staging-europe", "gcp-prod"),
)
