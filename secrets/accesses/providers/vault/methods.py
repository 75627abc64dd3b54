"""The ways to sign in to Vault."""

import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.views.decorators.debug import sensitive_variables

from accesses.providers import selecting, tokens
from accesses.providers.asking import Api
from accesses.providers.base import Method
from accesses.providers.vault import wire as vault_wire
from accesses.providers.vault.forms import AppRoleForm, KubernetesForm, TokenForm, UserpassForm
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

TOKEN, PASSWORD, ROLE_ID, SECRET_ID = "token", "password", "role-id", "secret-id"


@sensitive_variables()
def _held(access: "Access | AccessDraft", name: str) -> str:
    return str((access.credential or {}).get(name) or "")


# -- a token -------------------------------------------------------------------------------------------
def _token_auth(access: "Access", namespace: str) -> dict[str, Any]:
    return {"tokenSecretRef": selecting.key_of_secret(access, namespace, TOKEN)}


def _by_token(access: "Access | AccessDraft") -> Api:
    return vault_wire.signed_in(access, _held(access, "token"))


# -- a user with a password ----------------------------------------------------------------------------
def _userpass_auth(access: "Access", namespace: str) -> dict[str, Any]:
    configuration = access.configuration
    named = {"path": configuration["auth_path"], "username": configuration["username"]}
    return {"userPass": named | {"secretRef": selecting.key_of_secret(access, namespace, PASSWORD)}}


@sensitive_variables()
def _by_userpass(access: "Access | AccessDraft") -> Api:
    password = _held(access, "password")
    if not password:
        raise errors.CredentialRefused("There is no password.", "Enter it.")
    name = quote(access.configuration["username"], safe="")
    return vault_wire.login(access, vault_wire.LOGIN, f"login/{name}", {"password": password})


# -- a role for machines -------------------------------------------------------------------------------
def _approle_auth(access: "Access", namespace: str) -> dict[str, Any]:
    role, secret = (selecting.key_of_secret(access, namespace, key) for key in (ROLE_ID, SECRET_ID))
    return {"appRole": {"path": access.configuration["auth_path"], "roleRef": role, "secretRef": secret}}


@sensitive_variables()
def _by_approle(access: "Access | AccessDraft") -> Api:
    body = {name: _held(access, name) for name in ("role_id", "secret_id")}
    if not all(body.values()):
        raise errors.CredentialRefused("There is no role ID with its secret ID.", "Enter both.")
    return vault_wire.login(access, vault_wire.LOGIN, "login", body)


# -- the cluster's own tokens --------------------------------------------------------------------------
def _kubernetes_auth(access: "Access", namespace: str) -> dict[str, Any]:
    configuration = access.configuration
    account = selecting.service_account(access, namespace, configuration["audience"])
    named = {"mountPath": configuration["auth_path"], "role": configuration["role"]}
    return {"kubernetes": named | {"serviceAccountRef": account}}


@sensitive_variables()
def _by_kubernetes(access: "Access | AccessDraft") -> Api:
    configuration = access.configuration
    jwt = tokens.token(access, configuration["audience"])
    body = {"role": configuration["role"], "jwt": jwt}
    try:
        return vault_wire.login(access, vault_wire.CLUSTER, "login", body)
    except errors.TrustMissing as error:
        raise errors.TrustMissing(error.reason, error.remedy, role(access)) from None


def role(access: "Access | AccessDraft") -> str:
    """Return the command that makes the role which lets the access in, and nobody else."""
    configuration = access.configuration
    path, name = configuration.get("auth_path") or "kubernetes", configuration.get("role") or "keyhaven"
    return " \\\n  ".join(
        (
            f"vault write auth/{path}/role/{name}",
            f"bound_service_account_names={access.service_account}",
            f"bound_service_account_namespaces={access.cluster.operator_namespace}",
            f"audience={shlex.quote(configuration.get('audience') or 'vault')}",
            "token_policies=keyhaven token_ttl=20m",
        )
    )


def _data(**names: str) -> Any:
    """Return a function that gives the data of the Secret: its key → which field of the credential it holds."""

    @sensitive_variables()
    def made(access: "Access") -> dict[str, str]:
        return {key.replace("_", "-"): value for key, one in names.items() if (value := _held(access, one))}

    return made


_WHERE = {"place": "mount"}
METHODS = (
    Method(
        "kubernetes", "Kubernetes", "No keys stored: a role in Vault trusts this access's own ServiceAccount.",
        KubernetesForm, _kubernetes_auth, _by_kubernetes, annotations=lambda access: {},
        setup="accesses/setup/vault_kubernetes.html", fields=_WHERE | {"trust": "role", "credential": "role"},
    ),
    Method(
        "approle", "AppRole", "A role ID and a secret ID, stored encrypted here and in the cluster; you rotate them.",
        AppRoleForm, _approle_auth, _by_approle, secret_data=_data(role_id="role_id", secret_id="secret_id"),
        setup="accesses/setup/vault_approle.html", fields=_WHERE | {"credential": "secret_id"},
    ),
    Method(
        "userpass", "User name and password",
        "The password is stored encrypted here and in the cluster; the user name stands readable in the store.",
        UserpassForm, _userpass_auth, _by_userpass, secret_data=_data(password="password"),
        setup="accesses/setup/vault_userpass.html", fields=_WHERE | {"credential": "password"},
    ),
    Method(
        "token", "Token", "Stored encrypted here and in the cluster. Nobody renews it: when it ends, syncing ends.",
        TokenForm, _token_auth, _by_token, secret_data=_data(token="token"),
        setup="accesses/setup/vault_token.html", fields=_WHERE | {"credential": "token"},
    ),
)  # fmt: skip
