"""What is run at Google: the script that makes a key, and the same and more as plain gcloud lines."""

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from django.core.exceptions import ValidationError

from credentials.published import Published

FILE = "create_secret_manager_credentials_gcp.sh"
SCRIPT = Published(FILE, Path(__file__).parent / FILE)
ROLE = "keyhaven_secrets_manager_role"
ACCOUNT = "keyhaven-secrets-manager-sa"
PERMISSIONS = (
    "resourcemanager.projects.get",
    "secretmanager.locations.list",
    "secretmanager.secrets.get",
    "secretmanager.secrets.list",
    "secretmanager.versions.access",
    "secretmanager.versions.get",
    "secretmanager.versions.list",
)
READS, LISTS = "roles/secretmanager.secretAccessor", "roles/secretmanager.viewer"
# The operators that Google takes in one condition.
MOST_PREFIXES = 13
NARROWED = (
    "Only reading values is narrowed: listing is asked of the project, which no condition on a secret's name fits, so the "
    "names of all secrets can be seen. The condition has the project's number, not its ID."
)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


def command(base_url: str, project: str = "", role: str = ROLE, account: str = ACCOUNT) -> str:
    """Return the command that downloads the script, checks it, and only then runs it."""
    run = f"bash {FILE} {_project(project)} {shlex.quote(role)} {shlex.quote(account)}"
    return f"{SCRIPT.fetched(base_url)}{SCRIPT.checked()}{run}"


def listing(project: str = "", role: str = ROLE, account: str = ACCOUNT) -> str:
    """Return what the script does as gcloud lines, for a project that has none of it yet."""
    return "\n".join(
        [
            f"PROJECT={_project(project)} ROLE={shlex.quote(role)} ACCOUNT={shlex.quote(account)}",
            f"EMAIL={_email(account, project)}",
            'gcloud services enable secretmanager.googleapis.com --project="$PROJECT"',
            'gcloud iam roles create "$ROLE" --project="$PROJECT" --stage=GA \\',
            f"  --permissions={','.join(PERMISSIONS)}",
            'gcloud iam service-accounts create "$ACCOUNT" --project="$PROJECT"',
            'gcloud projects add-iam-policy-binding "$PROJECT" --member="serviceAccount:$EMAIL" \\',
            '  --role="projects/$PROJECT/roles/$ROLE" --condition=None',
            'gcloud iam service-accounts keys create key.json --iam-account="$EMAIL"',
        ]
    )


def grants(project: str, member: str, *, number: str = "", prefixes: Sequence[str] = ()) -> str:
    """Return the gcloud lines that let a member list names, and read the values below `prefixes` or all of them.

    :raises ValidationError: a prefix is none, or there are more than Google takes in one condition
    """
    found = clean_prefixes(prefixes)
    condition = "None"
    if found:
        if not number.isdigit():
            raise ValidationError("A condition on names needs the project's number.", code="number")
        condition = f"expression={_expression(number, found)},title=keyhaven-names"
    return _granted(_project(project), shlex.quote(member), condition)


def clean_prefixes(prefixes: Iterable[str]) -> list[str]:
    """Return prefixes of secret IDs without blanks, repetitions and their last star, in order.

    :raises ValidationError: one is no beginning of a secret's ID, or there are too many
    """
    found = sorted({written.strip().removesuffix("*") for written in prefixes if written.strip()})
    for prefix in found:
        if not prefix:
            raise ValidationError("* is every secret. Leave the prefixes empty for that.", code="everything")
        if not _NAME.fullmatch(prefix):
            raise ValidationError(
                f"“{prefix}” cannot begin a secret's name: those have letters, digits, _ and -.",
                code="characters",
            )
    if len(found) > MOST_PREFIXES:
        raise ValidationError(
            f"These are {len(found)} prefixes; Google takes {MOST_PREFIXES} in one condition. "
            "Choose shorter ones that cover several.",
            code="many",
        )
    return found


def federation_listing(
    project: str, pool: str, provider: str, issuer: str, subject: str, audience: str = ""
) -> str:
    """Return the gcloud lines that let one ServiceAccount of a cluster in without a key; the last prints the audience.

    Without `audience` Google expects the provider's own name in the token, which is what that line prints.
    """
    inner = f"/locations/global/workloadIdentityPools/{pool}"
    allowed = [f"  --allowed-audiences={shlex.quote(audience)} \\"] if audience else []
    inside = f'--location=global --workload-identity-pool={shlex.quote(pool)} --project="$PROJECT"'
    return "\n".join(
        [
            f"PROJECT={_project(project)}",
            "NUMBER=$(gcloud projects describe \"$PROJECT\" --format='value(projectNumber)')",
            "gcloud services enable secretmanager.googleapis.com sts.googleapis.com iamcredentials.googleapis.com \\",
            '  --project="$PROJECT"',
            f'gcloud iam workload-identity-pools create {shlex.quote(pool)} --location=global --project="$PROJECT"',
            f"gcloud iam workload-identity-pools providers create-oidc {shlex.quote(provider)} \\",
            f"  {inside} \\",
            f"  --issuer-uri={shlex.quote(issuer)} \\",
            *allowed,
            "  --attribute-mapping=google.subject=assertion.sub \\",
            f"  --attribute-condition={shlex.quote(f'assertion.sub=="{subject}"')}",
            _granted('"$PROJECT"', _of_project("principal:", f"{inner}/subject/{subject}")),
            f"echo {_of_project('', f'{inner}/providers/{provider}')}",
        ]
    )


def workload_identity_listing(
    project: str, cluster_project: str, account: str, namespace: str, service_account: str
) -> str:
    """Return the gcloud lines that let one ServiceAccount of a GKE cluster act as a Google service account."""
    return "\n".join(
        [
            "gcloud services enable secretmanager.googleapis.com iamcredentials.googleapis.com \\",
            f"  --project={_project(project)}",
            f"gcloud iam service-accounts add-iam-policy-binding {shlex.quote(account)} \\",
            "  --role=roles/iam.workloadIdentityUser --condition=None \\",
            f"  --member={shlex.quote(f'serviceAccount:{cluster_project}.svc.id.goog[{namespace}/{service_account}]')}",
            grants(project, f"serviceAccount:{account}"),
        ]
    )


def ambient_listing(project: str, cluster_project: str, namespace: str, service_account: str) -> str:
    """Return the gcloud lines that let the operator's own ServiceAccount on GKE read, without a service account."""
    rest = f"/locations/global/workloadIdentityPools/{cluster_project}.svc.id.goog/subject"
    member = _of_project("principal:", f"{rest}/ns/{namespace}/sa/{service_account}")
    described = f"gcloud projects describe {_project(cluster_project)} --format='value(projectNumber)'"
    return f"NUMBER=$({described})\n{_granted(_project(project), member)}"


def _project(project: str) -> str:
    """Return a project for a shell; Cloud Shell knows its own."""
    return shlex.quote(project) if project else '"$GOOGLE_CLOUD_PROJECT"'


def _email(account: str, project: str) -> str:
    """Return a service account's address for a shell; a domain's project, example.com:name, is turned round in it."""
    if not project:
        return '"$ACCOUNT@$PROJECT.iam.gserviceaccount.com"'
    domain, _, name = project.rpartition(":")
    return shlex.quote(f"{account}@{'.'.join(filter(None, (name, domain)))}.iam.gserviceaccount.com")


def _of_project(scheme: str, rest: str) -> str:
    """Return a resource of IAM for a shell, which fills in the project's number."""
    return f'"{scheme}//iam.googleapis.com/projects/$NUMBER"{shlex.quote(rest)}'


def _granted(project: str, member: str, reading: str = "None") -> str:
    """Return the lines for both roles; `project` and `member` are words of a shell, `reading` is a condition."""
    return "\n".join(
        f"gcloud projects add-iam-policy-binding {project} --role={role} \\\n"
        f"  --member={member} --condition={shlex.quote(condition)}"
        for role, condition in ((READS, reading), (LISTS, "None"))
    )


def _expression(number: str, prefixes: Iterable[str]) -> str:
    starts = (f'resource.name.startsWith("projects/{number}/secrets/{prefix}")' for prefix in prefixes)
    return " || ".join(starts)
