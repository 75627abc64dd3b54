"""What Google's providers share: the ways to sign in, and whom a role is to be granted to."""

from functools import partial
from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from accesses.providers import issuers, selecting, tokens
from accesses.providers.base import Method, Obstacle, Situation
from accesses.providers.google.forms import (
    AUDIENCE,
    AmbientForm,
    AutomaticForm,
    FederationForm,
    KeyForm,
    WorkloadIdentityForm,
)
from credentials import signing
from credentials.clouds import errors, google

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft
    from clusters.models import Cluster

ACCOUNT_ANNOTATION = "iam.gke.io/gcp-service-account"
KEY_FILE = "key.json"
# What the console's credential needs so that a deploy can make the service account: in its project, and in the secrets'.
_MAKING = ("iam.serviceAccounts.create", "iam.serviceAccounts.setIamPolicy")
_GRANTING = ("resourcemanager.projects.getIamPolicy", "resourcemanager.projects.setIamPolicy")


# -- by a key ------------------------------------------------------------------------------------------
@sensitive_variables()
def _key(access: "Access | AccessDraft") -> str:
    """Return the key.json of the access, or of the cloud credential that it uses instead."""
    stored = (access.cloud_credential.secret if access.cloud_credential else access.credential) or {}
    return str(stored.get("key") or "")


@sensitive_variables()
def _by_key(access: "Access | AccessDraft") -> Any:
    try:
        return google.by_key(google.parse_key(_key(access)))
    except google.KeyRefused:
        raise errors.CredentialRefused(
            "There is no usable key.", "Give a service account's key.json."
        ) from None


@sensitive_variables()
def _key_data(access: "Access") -> dict[str, str]:
    """Return the key for the operator, without the addresses that somebody may have put into it."""
    try:
        return {KEY_FILE: google.text_of(google.parse_key(_key(access)))}
    except google.KeyRefused:
        return {}


def _key_auth(access: "Access", namespace: str) -> dict[str, Any]:
    selector = selecting.key_of_secret(access, namespace, KEY_FILE)
    return {"secretRef": {"secretAccessKeySecretRef": selector}}


# -- by the cluster's tokens ---------------------------------------------------------------------------
def automatic_email(access: "Access | AccessDraft") -> str:
    """Return the service account that a deploy makes, in the cluster's own project."""
    domain, _, project = access.cluster.account.rpartition(":")
    host = f"{project}.{domain}" if domain else project
    return f"keyhaven-{access.id.hex[:8]}@{host}.iam.gserviceaccount.com"


def email(access: "Access | AccessDraft") -> str:
    """Return the service account that an access reads as, or an empty string if it reads as itself."""
    return automatic_email(access) if access.method == "automatic" else access.configuration.get("email", "")


def pool(cluster: "Cluster") -> str:
    """Return the workload identity pool that a GKE cluster has from Google."""
    return f"{cluster.account}.svc.id.goog"


def principal(access: "Access | AccessDraft") -> str:
    """Return the access's ServiceAccount as Google's IAM names it: whom its service account has to trust."""
    found = AUDIENCE.fullmatch(access.configuration.get("audience", ""))
    if found is None:
        return f"serviceAccount:{pool(access.cluster)}[{access.cluster.operator_namespace}/{access.service_account}]"
    where = f"projects/{found['number']}/locations/global/workloadIdentityPools/{found['pool']}"
    return f"principal://iam.googleapis.com/{where}/subject/{tokens.subject(access)}"


def member(access: "Access | AccessDraft") -> str:
    """Return whom the roles on secrets are to be granted to."""
    if address := email(access):
        return f"serviceAccount:{address}"
    return principal(access) if access.method == "federation" else "serviceAccount:EMAIL"


def grant(access: "Access | AccessDraft", *roles: str) -> str:
    """Return the gcloud lines that grant roles on the project to an access."""
    project, who = access.configuration["project"], member(access)
    return "\n".join(
        f'gcloud projects add-iam-policy-binding {project} --member="{who}" --role="{role}" --condition=None'
        for role in roles
    )


def _annotations(access: "Access | AccessDraft") -> dict[str, str]:
    return {ACCOUNT_ANNOTATION: email(access)}


def _workload_identity_auth(access: "Access", namespace: str) -> dict[str, Any]:
    cluster = access.cluster
    return {
        "workloadIdentity": {
            "clusterProjectID": cluster.account,
            "clusterLocation": cluster.region,
            "clusterName": cluster.cloud_name,
            "serviceAccountRef": selecting.service_account(access, namespace),
        }
    }


def _federation_auth(access: "Access", namespace: str) -> dict[str, Any]:
    audience, address = access.configuration["audience"], email(access)
    reference = selecting.service_account(access, namespace, f"https:{audience}")
    found = {"audience": audience, "serviceAccountRef": reference}
    return {"workloadIdentityFederation": found | ({"gcpServiceAccountEmail": address} if address else {})}


def _by_workload_identity(access: "Access | AccessDraft") -> Any:
    cluster = access.cluster
    where = f"projects/{cluster.account}/locations/{cluster.region}/clusters/{cluster.cloud_name}"
    audience = f"identitynamespace:{pool(cluster)}:https://container.googleapis.com/v1/{where}"
    return google.by_token(partial(tokens.token, access, pool(cluster)), audience, email(access))


def _by_federation(access: "Access | AccessDraft") -> Any:
    audience = access.configuration["audience"]
    return google.by_token(partial(tokens.token, access, f"https:{audience}"), audience, email(access))


def _ambient(access: "Access | AccessDraft") -> Any:
    if access.cloud_credential is not None:
        return _by_key(access)
    raise tokens.of_the_operator()


# -- what stands in the way ------------------------------------------------------------------------------
def _only_on_gke(situation: Situation) -> Obstacle | None:
    cluster = situation.cluster
    if cluster.cloud != "gcp":
        return Obstacle(
            f"{cluster} is not a GKE cluster.",
            "Use workload identity federation, or a service account's key.",
        )
    if not (cluster.account and cluster.region and cluster.cloud_name):
        return Obstacle(
            f"The project, the location or the name of {cluster} at Google is not known.",
            "Test the connection on the cluster's page, or enter them in its settings.",
            "clusters:settings",
        )
    return None


def _ambient_obstacle(situation: Situation) -> Obstacle | None:
    if situation.cluster.cloud == "gcp":
        return None
    return Obstacle(
        f"{situation.cluster} is not a GKE cluster: its pods have no identity at Google.",
        "Use workload identity federation, or a service account's key.",
    )


def _automatic_obstacle(situation: Situation) -> Obstacle | None:
    found, credential = _only_on_gke(situation), situation.cluster.credential
    if found is None and (credential is None or credential.cloud != "gcp"):
        return Obstacle(
            f"The console has no cloud credential for the Google project of {situation.cluster}.",
            "Choose one in the cluster's settings: the deploy makes the service account with it.",
            "clusters:settings",
        )
    return found


def _federation_obstacle(situation: Situation) -> Obstacle | None:
    if situation.cluster.cloud == "gcp":
        return Obstacle(
            f"{situation.cluster} is a GKE cluster, which Google trusts already.",
            "Use workload identity: it is the same, and simpler.",
        )
    return issuers.obstacle(situation.cluster.issuer, "a service account's key")


def _rehearsed(access: "Access | AccessDraft") -> list[tuple[str, str]]:
    """Say who will make the service account, after asking Google whether that one may."""
    credential = access.cluster.credential
    if credential is None:
        raise errors.CredentialRefused("The cluster has no cloud credential.", "Choose one in its settings.")
    api = google.Api(signing.session(credential))
    for project, wanted in ((access.cluster.account, _MAKING), (access.configuration["project"], _GRANTING)):
        _check_may(api, str(credential), project, wanted)
    return [
        ("Cloud credential", f"{credential}: {credential.identity}"),
        ("Service account", f"A deploy makes {automatic_email(access)}"),
    ]


def _check_may(api: google.Api, credential: str, project: str, wanted: tuple[str, ...]) -> None:
    path, permission = f"v1/projects/{project}:testIamPermissions", "resourcemanager.projects.get"
    held = api.call("POST", "cloudresourcemanager", path, permission, {"permissions": list(wanted)})
    missing = sorted(set(wanted) - set(held.get("permissions") or ()))
    if missing:
        raise errors.CredentialRefused(
            f"The cloud credential {credential} lacks {' and '.join(missing)} in {project}.",
            "Grant it roles/iam.serviceAccountAdmin in the cluster's project and "
            "roles/resourcemanager.projectIamAdmin in the secrets' project.",
        )


_PLACE = {"place": "project"}
METHODS = (
    Method(
        "automatic", "Automatic",
        "No keys stored: a deploy makes the service account, and removes it with the access.",
        AutomaticForm, _workload_identity_auth, _by_workload_identity, annotations=_annotations,
        obstacle=_automatic_obstacle, rehearse=_rehearsed, fields=_PLACE,
    ),
    Method(
        "workload-identity", "Workload identity", "No keys stored: a service account of yours trusts this cluster.",
        WorkloadIdentityForm, _workload_identity_auth, _by_workload_identity, annotations=_annotations,
        obstacle=_only_on_gke, fields=_PLACE | {"trust": "email"},
        setup="accesses/setup/gcp_workload_identity.html",
    ),
    Method(
        "key", "Service account key", "A key.json, stored encrypted here and in the cluster; you rotate it.",
        KeyForm, _key_auth, _by_key, secret_data=_key_data, fields=_PLACE | {"credential": "key"},
        setup="accesses/setup/gcp_key.html",
    ),
    Method(
        "federation", "Workload identity federation",
        "No keys stored: a workload identity pool that trusts this cluster's issuer.",
        FederationForm, _federation_auth, _by_federation, annotations=lambda access: {},
        obstacle=_federation_obstacle, fields=_PLACE | {"trust": "audience"},
        setup="accesses/setup/gcp_federation.html",
    ),
    Method(
        "ambient", "The operator's own identity",
        "No keys stored: the application default credentials of its pods. One identity for the whole cluster.",
        AmbientForm, lambda access, namespace: None, _ambient, obstacle=_ambient_obstacle, fields=_PLACE,
        setup="accesses/setup/gcp_ambient.html",
    ),
)  # fmt: skip
