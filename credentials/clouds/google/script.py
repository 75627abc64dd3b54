"""What is run at Google for a console's own identity: the script, and the same and more as plain gcloud lines."""

import shlex
from pathlib import Path

from credentials.clouds.base import Facts, Helped
from credentials.clouds.google import federation, keyring, policies
from credentials.published import Published

FILE = "create_credentials_gcp_wif.sh"
SCRIPT = Published(FILE, Path(__file__).parent / FILE)
KEYS = "jwks.json"
ACCOUNT = "keyhaven"
POOL = "keyhaven"
ROLE = "keyhaven_console"
_APIS = "iam.googleapis.com iamcredentials.googleapis.com sts.googleapis.com"
_MORE_APIS = "cloudresourcemanager.googleapis.com container.googleapis.com"


def command(helped: Helped, *, uploads: bool) -> str:
    """Return the line that checks the script and runs it; it fetches it first, where it can be fetched.

    With `uploads` Google cannot fetch the console's keys, nor Cloud Shell the script: both lie beside it already.
    """
    keys = f"--keys {KEYS} " if uploads else ""
    words = f"{_project(helped.facts)} {ACCOUNT} {shlex.quote(helped.issuer)} {shlex.quote(helped.subject)}"
    fetched = "" if uploads else SCRIPT.fetched(helped.base_url)
    return f"{fetched}{SCRIPT.checked()}bash {FILE} {keys}{words}"


def listing(helped: Helped, *, uploads: bool) -> str:
    """Return what the script does as gcloud lines, for a project that has none of it yet."""
    provider = federation.provider_id(helped.subject)
    trust = f'"principal://iam.googleapis.com/projects/$NUMBER/locations/global/workloadIdentityPools/{POOL}'
    return "\n".join(
        [
            *_beginning(helped.facts),
            f'gcloud services enable {_APIS} \\\n  {_MORE_APIS} --project="$PROJECT"',
            f'gcloud iam workload-identity-pools create {POOL} --location=global --project="$PROJECT"',
            f"gcloud iam workload-identity-pools providers create-oidc {provider} \\",
            f'  --location=global --workload-identity-pool={POOL} --project="$PROJECT" \\',
            f"  --issuer-uri={shlex.quote(helped.issuer)} \\",
            *([f"  --jwk-json-path={KEYS} \\"] if uploads else []),
            "  --attribute-mapping=google.subject=assertion.sub \\",
            f"  --attribute-condition={shlex.quote(federation.condition(helped.subject))}",
            *_identity(helped.facts),
            'gcloud iam service-accounts add-iam-policy-binding "$EMAIL" --project="$PROJECT" \\',
            "  --role=roles/iam.workloadIdentityUser --condition=None \\",
            f'  --member={trust}/subject/"{shlex.quote(helped.subject)}',
            f'echo "projects/$NUMBER/locations/global/workloadIdentityPools/{POOL}/providers/"{provider}',
        ]
    )


def key_listing(facts: Facts) -> str:
    """Return the gcloud lines that make a service account with the least it needs, and a key of it."""
    return "\n".join(
        [
            *_beginning(facts)[::2],
            'gcloud services enable iam.googleapis.com container.googleapis.com --project="$PROJECT"',
            *_identity(facts),
            'gcloud iam service-accounts keys create key.json --iam-account="$EMAIL"',
        ]
    )


def automatic_listing(facts: Facts) -> str:
    """Return the gcloud line that lets the console make service accounts for accesses as well."""
    return (
        f"gcloud iam roles update {ROLE} --project={_project(facts)} \\\n"
        f"  --add-permissions={','.join(policies.AUTOMATIC)}"
    )


def renewing(facts: Facts) -> str:
    """Return the gcloud lines that let a service account renew its own keys."""
    return keyring.policy(facts)


def _project(facts: Facts) -> str:
    """Return a project for a shell; Cloud Shell knows its own."""
    return shlex.quote(facts["project"]) if facts.get("project") else '"$GOOGLE_CLOUD_PROJECT"'


def _beginning(facts: Facts) -> list[str]:
    return [
        f"PROJECT={_project(facts)}",
        "NUMBER=$(gcloud projects describe \"$PROJECT\" --format='value(projectNumber)')",
        f'EMAIL="{ACCOUNT}@$PROJECT.iam.gserviceaccount.com"',
    ]


def _identity(facts: Facts) -> list[str]:
    return [
        f'gcloud iam roles create {ROLE} --project="$PROJECT" --stage=GA \\',
        f"  --permissions={','.join(policies.LOOKING)}",
        f'gcloud iam service-accounts create {ACCOUNT} --project="$PROJECT"',
        'gcloud projects add-iam-policy-binding "$PROJECT" --member="serviceAccount:$EMAIL" \\',
        f'  --role="projects/$PROJECT/roles/{ROLE}" --condition=None',
    ]
