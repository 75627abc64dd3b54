"""HashiCorp Vault's and OpenBao's HTTP interface: what its refusals mean, and who asks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.views.decorators.debug import sensitive_variables

from accesses.providers.asking import Api, Refusal
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

VENDOR = "Vault"
_AGAIN = "Enter a new one. The test of the access tells when that one ends."

# What stands in a refusal, in small letters → our name for it; the first that fits counts.
_SIGNS = (
    ("missing client token", "no-token"),
    ("invalid token", "token"),
    ("namespace not found", "namespace"),
    ("no namespace", "namespace"),
    ("no handler for route", "mount"),
    ("route entry not found", "mount"),
    ("check-and-set parameter did not match", "there"),
    ("versioned k/v", "version"),
    ("is sealed", "sealed"),
    ("invalid username or password", "login"),
    ("invalid role or secret id", "login"),
    ("invalid role id", "login"),
    ("invalid secret id", "login"),
    ("invalid role name", "role"),
    ("account name not authorized", "account"),
    ("namespace not authorized", "account"),
    ("audience", "audience"),
    ("could not load backend configuration", "unconfigured"),
)


def code_of(body: Any) -> str:
    """Return our name for what a refusal says, or an empty string.

    A policy's refusal is “1 error occurred: …”; without these words it is the token that is refused.
    """
    said = [str(one).lower() for one in (body.get("errors") or []) + (body.get("warnings") or [])]
    if said == ["permission denied"]:
        return "token"
    return next((code for sign, code in _SIGNS if any(sign in one for one in said)), "")


# What holds for every request, also for those that sign in.
_EVERYWHERE = (
    Refusal(
        400,
        errors.CredentialRefused,
        "Vault got no token.",
        "Something on the way to Vault drops the header X-Vault-Token: check the proxies in between.",
        "no-token",
    ),
    Refusal(
        404,
        errors.NotThere,
        "Vault has no such namespace.",
        "Check the namespace: it is a path such as team-a or org/team-a, and empty for the root one.",
        "namespace",
    ),
    Refusal(
        412,
        errors.NotReachable,
        "This node of Vault does not have the latest data yet.",
        "Try again in a moment; if it stays, look at the replication of the nodes.",
    ),
    Refusal(
        429,
        errors.Throttled,
        "A rate limit quota of Vault is used up.",
        "Wait a minute and try again, or raise the quota for this path.",
    ),
    Refusal(
        472,
        errors.NotReachable,
        "This is a disaster recovery secondary of Vault, which answers no requests.",
        "Enter the address of the primary, or of the load balancer before it.",
    ),
    Refusal(
        473,
        errors.NotReachable,
        "This is a standby of Vault, which answers no requests.",
        "Enter the address of the active node, or of the load balancer before it.",
    ),
    Refusal(
        503,
        errors.NotReachable,
        "Vault is sealed.",
        "Unseal it: until then neither the console nor the operator reads anything.",
        "sealed",
    ),
    Refusal(
        503,
        errors.NotReachable,
        "Vault is not in service: it starts, or is being maintained.",
        "Try again later.",
    ),
)

REFUSALS = (
    Refusal(
        403,
        errors.CredentialRefused,
        "Vault does not accept the token: it has ended or was revoked.",
        _AGAIN,
        "token",
    ),
    Refusal(
        403,
        errors.PermissionMissing,
        "No policy of the identity allows {permission}.",
        "Give the identity a policy that allows {permission}, in this namespace.",
    ),
    Refusal(
        400,
        errors.AlreadyThere,
        "Vault has a secret of this name.",
        "Choose another name, or give the one that is there a new version. A deleted one is restored first.",
        "there",
    ),
    Refusal(
        400,
        errors.NotValid,
        "Vault refuses the request as not valid.",
        "A name has no empty part. Of tags 64 are the most, with 128 letters in a name and 512 in a value.",
    ),
    Refusal(
        404,
        errors.NotThere,
        "Vault has no secrets engine at this path.",
        "Check the root engine, and the namespace that it is in.",
        "mount",
    ),
    Refusal(
        404,
        errors.NotThere,
        "The secrets engine at this path is of version 2, and the access is configured for version 1.",
        "Choose version 2.",
        "version",
    ),
    Refusal(404, errors.NotThere, "Vault does not have it.", "Check the name and the root engine."),
    Refusal(
        405,
        errors.NotThere,
        "What is at this path in Vault is no KV secrets engine of the version that was chosen.",
        "Check the root engine and its version.",
    ),
    Refusal(
        413,
        errors.NotValid,
        "The value is larger than Vault takes.",
        "Shorten it, or raise max_request_size.",
    ),
    *_EVERYWHERE,
)

_PATH = "Check the path of the auth method, and the namespace that it is in."
LOGIN = (
    Refusal(
        400,
        errors.CredentialRefused,
        "Vault does not accept what was entered: the user name and password, or the role ID and secret ID.",
        "Check both; a secret ID may have ended or be used up. Then enter new ones.",
        "login",
    ),
    Refusal(403, errors.CredentialRefused, "Vault lets nobody sign in here like this.", _PATH),
    Refusal(400, errors.CredentialRefused, "Vault does not take this sign-in.", _PATH),
    Refusal(404, errors.CredentialRefused, "Vault has no auth method at this path.", _PATH, "mount"),
    *_EVERYWHERE,
)

_ROLE = "Make the role as this page shows it, or correct it."
CLUSTER = (
    Refusal(400, errors.TrustMissing, "Vault's auth method has no role of this name.", _ROLE, "role"),
    Refusal(
        403, errors.TrustMissing, "The role does not name this access's ServiceAccount or its namespace.", _ROLE,
        "account",
    ),
    Refusal(
        400, errors.TrustMissing, "The role does not name this access's ServiceAccount or its namespace.", _ROLE,
        "account",
    ),
    Refusal(400, errors.TrustMissing, "The role wants a token for another audience.", _ROLE, "audience"),
    Refusal(403, errors.TrustMissing, "The role wants a token for another audience.", _ROLE, "audience"),
    Refusal(
        500,
        errors.TrustMissing,
        "The auth method knows no cluster yet.",
        "Give it the cluster's address, its CA certificate and a reviewer's token: "
        "vault write auth/PATH/config kubernetes_host=… kubernetes_ca_cert=… token_reviewer_jwt=…",
        "unconfigured",
    ),
    Refusal(
        403,
        errors.TrustMissing,
        "Vault does not let this cluster's ServiceAccount in: there is no auth method at this path, the cluster does "
        "not confirm the token to it, or its role names another ServiceAccount.",
        "Check the path, that Vault reaches the cluster's API server, and that its reviewer may create TokenReviews "
        "(ClusterRole system:auth-delegator).",
    ),
    Refusal(400, errors.TrustMissing, "Vault does not take this cluster's token.", _ROLE),
    Refusal(404, errors.TrustMissing, "Vault has no auth method for clusters at this path.", _PATH, "mount"),
    *_EVERYWHERE,
)  # fmt: skip


def api(
    access: "Access | AccessDraft", refusals: tuple[Refusal, ...], headers: Mapping[str, str] | None = None
) -> Api:
    """Return Vault at the access's address, in its namespace."""
    configuration = access.configuration
    sent = {"X-Vault-Request": "true"} | dict(headers or {})
    if namespace := configuration.get("namespace"):
        sent["X-Vault-Namespace"] = namespace
    return Api(
        VENDOR,
        configuration["address"],
        refusals,
        headers=lambda: sent,
        code_of=code_of,
        ca=configuration.get("ca", ""),
    )


@sensitive_variables()
def signed_in(access: "Access | AccessDraft", token: str) -> Api:
    """Return Vault as it answers to a token.

    :raises CredentialRefused: there is none
    """
    if not token:
        raise errors.CredentialRefused("There is no token.", "Enter one.")
    return api(access, REFUSALS, {"X-Vault-Token": token})


@sensitive_variables()
def login(
    access: "Access | AccessDraft", refusals: tuple[Refusal, ...], path: str, body: dict[str, str]
) -> Api:
    """Sign in at an auth method and return Vault as it answers to the token that it gave.

    :raises ProviderError: it lets nobody in with that
    """
    from accesses.providers.asking import understood

    mount = quote(access.configuration["auth_path"], safe="/")
    answer = api(access, refusals).ask("POST", f"/v1/auth/{mount}/{path}", json=body)
    with understood(VENDOR):
        token = str(answer.body["auth"]["client_token"])
    return signed_in(access, token)
