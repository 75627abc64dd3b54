"""What the AWS providers share: the ways to sign in."""

from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from accesses.providers import issuers, selecting, tokens
from accesses.providers.aws import client as aws_client
from accesses.providers.aws import trust as aws_trust
from accesses.providers.aws.automatic import AutomaticForm
from accesses.providers.aws.forms import AmbientForm, FederationForm, RoleForm, StaticForm
from accesses.providers.base import Method, Obstacle, Situation
from credentials import signing
from credentials.clouds import aws, errors
from credentials.clouds.aws import regions as aws_regions

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

AUDIENCE = "sts.amazonaws.com"
ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
# One of its objects is called so and the other may not be, on one cluster.
EXCLUSIVE = {"automatic": "role", "role": "automatic"}


# -- static ------------------------------------------------------------------------------------------
@sensitive_variables()
def _stored(access: "Access | AccessDraft") -> dict[str, str]:
    """Return the keys of the access, or of the cloud credential that it uses instead."""
    return (access.cloud_credential.secret if access.cloud_credential else access.credential) or {}


def _secret_ref(access: "Access", namespace: str) -> dict[str, Any]:
    names = {"accessKeyIDSecretRef": "access_key_id", "secretAccessKeySecretRef": "secret_access_key"}
    if _stored(access).get("session_token"):
        names["sessionTokenSecretRef"] = "session_token"
    selectors = {
        field: selecting.key_of_secret(access, namespace, key.replace("_", "-"))
        for field, key in names.items()
    }
    return {"secretRef": selectors}


def _secret_data(access: "Access") -> dict[str, str]:
    return {key.replace("_", "-"): value for key, value in _stored(access).items() if value}


# -- by the cluster's tokens ---------------------------------------------------------------------------
def automatic_role(access: "Access | AccessDraft") -> str:
    """Return the name of the role that a deploy makes; IAM takes 64 characters."""
    return f"keyhaven-{access.store_name}"


def role_arn(access: "Access | AccessDraft") -> str:
    """Return the role that the cluster signs in to."""
    if access.method != "automatic":
        return str(access.configuration["role_arn"])
    partition = aws_regions.partition_of(access.configuration["region"])
    return f"arn:{partition}:iam::{access.cluster.account}:role/{automatic_role(access)}"


def _service_account(access: "Access", namespace: str) -> dict[str, Any]:
    return {"jwt": {"serviceAccountRef": selecting.service_account(access, namespace)}}


def _annotations(access: "Access | AccessDraft") -> dict[str, str]:
    return {ROLE_ANNOTATION: role_arn(access)}


@sensitive_variables()
def _assumed(access: "Access | AccessDraft") -> aws.Keys:
    token, arn = tokens.token(access, AUDIENCE), role_arn(access)
    try:
        return aws.assume_with_token(arn, token, access.configuration["region"], aws_client.endpoint(access))
    except errors.TrustMissing as refusal:
        raise aws_trust.explain(access, arn, refusal) from None


def _ambient(access: "Access | AccessDraft") -> aws.Keys:
    if access.cloud_credential is not None:
        keys: aws.Keys = signing.session(access.cloud_credential)
        return keys
    raise tokens.of_the_operator()


# -- what stands in the way ------------------------------------------------------------------------------
def _only_on_aws(situation: Situation) -> Obstacle | None:
    if situation.cluster.cloud == "aws":
        return None
    return Obstacle(
        f"{situation.cluster} is not an AWS cluster.",
        "Use workload identity federation, or an access key.",
    )


def _excluded(situation: Situation, method: str) -> Obstacle | None:
    other = situation.other("aws", EXCLUSIVE[method])
    if other is None:
        return None
    labels = {"automatic": "automatic", "role": "a role ARN"}
    return Obstacle(
        f"The access {other.name} uses {labels[other.method]}, and on one cluster the two exclude each other.",
        f"Change {other.name} to {labels[method]}, or delete it.",
    )


def _known_issuer(situation: Situation) -> Obstacle | None:
    if situation.cluster.issuer:
        return None
    return Obstacle(
        f"The OIDC issuer of {situation.cluster} is not known; roles trust its tokens by it.",
        "Test the connection on the cluster's page. The console reads /.well-known/openid-configuration.",
        "clusters:overview",
    )


def _role_obstacle(situation: Situation) -> Obstacle | None:
    found = _only_on_aws(situation) or _known_issuer(situation) or _excluded(situation, "role")
    if found is None and not situation.cluster.account:
        return Obstacle(
            f"The AWS account of {situation.cluster} is not known; the role has to be in it.",
            "Choose a cloud credential of that account in the cluster's settings, or enter the account there.",
            "clusters:settings",
        )
    return found


def _automatic_obstacle(situation: Situation) -> Obstacle | None:
    found = _only_on_aws(situation) or _known_issuer(situation) or _excluded(situation, "automatic")
    credential = situation.cluster.credential
    ours = credential is not None and credential.cloud == "aws"
    if found is None and not (ours and situation.cluster.account):
        return Obstacle(
            f"The console has no cloud credential for the AWS account of {situation.cluster}.",
            "Choose one in the cluster's settings: the deploy makes the role with it.",
            "clusters:settings",
        )
    return found


def _federation_obstacle(situation: Situation) -> Obstacle | None:
    if situation.cluster.cloud == "aws":
        return Obstacle(
            f"{situation.cluster} is an AWS cluster.", "Use a role ARN: it is the same, and simpler."
        )
    return issuers.obstacle(situation.cluster.issuer, "an access key")


def _rehearsed(access: "Access | AccessDraft") -> list[tuple[str, str]]:
    """Say who will make the role, after asking AWS whether the keys are good."""
    credential = access.cluster.credential
    if credential is None:
        raise errors.CredentialRefused("The cluster has no cloud credential.", "Choose one in its settings.")
    found = aws.caller(signing.session(credential), access.configuration["region"])
    if found.account != access.cluster.account:
        raise errors.CredentialRefused(
            f"The cluster is in the AWS account {access.cluster.account}, but {credential} belongs to {found.account}.",
            "Choose a cloud credential of that account in the cluster's settings.",
        )
    return [
        ("Cloud credential", f"{credential}: {found.arn}"),
        ("Role", f"A deploy makes {role_arn(access)}"),
    ]


_TRUST = {"trust": "role_arn"}
METHODS = (
    Method(
        "automatic", "Automatic", "No keys stored: a deploy makes the role, and removes it with the access.",
        AutomaticForm, _service_account, _assumed, annotations=_annotations, obstacle=_automatic_obstacle,
        rehearse=_rehearsed,
    ),
    Method(
        "role", "Role ARN", "No keys stored: you make the role, with our CloudFormation stack.",
        RoleForm, _service_account, _assumed, annotations=_annotations, obstacle=_role_obstacle,
        fields=_TRUST, setup="accesses/setup/aws_role.html",
    ),
    Method(
        "federation", "Workload identity federation", "No keys stored: a role that trusts this cluster's issuer.",
        FederationForm, _service_account, _assumed, annotations=_annotations, obstacle=_federation_obstacle,
        fields=_TRUST, setup="accesses/setup/aws_role.html",
    ),
    Method(
        "static", "Access key", "Stored encrypted here and in the cluster; you rotate it.",
        StaticForm, _secret_ref, lambda access: aws.Keys.of(_stored(access)), secret_data=_secret_data,
        fields={"credential": "secret_access_key"}, setup="accesses/setup/aws_static.html",
    ),
    Method(
        "ambient", "The operator's own identity",
        "No keys stored: EKS Pod Identity or the node's role. One identity for the whole cluster.",
        AmbientForm, lambda access, namespace: None, _ambient, obstacle=_only_on_aws,
        setup="accesses/setup/aws_ambient.html",
    ),
)  # fmt: skip


def store(service: str, access: "Access", auth: dict[str, Any] | None) -> dict[str, Any]:
    """Return `spec.provider` for one of AWS's services; without `auth` the operator uses its own identity."""
    spec = {"service": service, "region": access.configuration["region"]}
    return {"aws": spec | ({"auth": auth} if auth else {})}
