"""What the cards of Vault's methods show."""

import shlex
from typing import TYPE_CHECKING, Any

from accesses.providers.vault import methods as vault_methods
from accesses.providers.vault import policies as vault_policies
from accesses.providers.vault.forms import KubernetesForm

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

POLICY = "keyhaven"


def of(access: "Access | AccessDraft") -> dict[str, Any]:
    """Return the commands for one access; until the form was sent, those of the usual paths."""
    configuration = access.configuration
    mount, version = configuration.get("mount") or vault_policies.MOUNT, configuration.get("version") or "2"
    path = configuration.get("auth_path") or {"kubernetes": KubernetesForm.AUTH_PATH}.get(
        access.method, access.method
    )
    prefix = str(getattr(access, "prefix", "") or "")
    rules = vault_policies.text(mount, version, prefix)
    return {
        "cluster": access.cluster.name,
        "namespace": access.cluster.operator_namespace,
        "service_account": access.service_account,
        "policy": f"vault policy write {POLICY} - <<'POLICY'\n{rules}\nPOLICY",
        "writing": f"vault policy write {POLICY} - <<'POLICY'\n"
        f"{vault_policies.text(mount, version, prefix, writes=True)}\nPOLICY",
        "enable": f"vault auth enable -path={path} {access.method}",
        "reviewer": _reviewer(access.cluster.operator_namespace),
        "config": _config(path, access.cluster.server),
        "role": vault_methods.role(access),
        "approle": f"vault write auth/{path}/role/{POLICY} token_policies={POLICY} token_ttl=20m\n"
        f"vault read auth/{path}/role/{POLICY}/role-id\n"
        f"vault write -f auth/{path}/role/{POLICY}/secret-id",
        "user": f"vault write auth/{path}/users/{POLICY} password=- token_policies={POLICY} token_ttl=20m",
        "token": f"vault token create -orphan -policy={POLICY} -ttl=768h",
    }


def _reviewer(namespace: str) -> str:
    """Return the commands that give Vault somebody who may ask the cluster whose a token is."""
    return (
        f"kubectl -n {namespace} create serviceaccount vault-reviewer\n"
        "kubectl create clusterrolebinding vault-reviewer --clusterrole=system:auth-delegator \\\n"
        f"  --serviceaccount={namespace}:vault-reviewer\n"
        f"kubectl -n {namespace} create token vault-reviewer --duration=8760h > reviewer.jwt\n"
        "kubectl get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}' > ca.crt"
    )


def _config(path: str, server: str) -> str:
    return (
        f"vault write auth/{path}/config \\\n  kubernetes_host={shlex.quote(server or 'https://API_SERVER')} \\\n"
        "  kubernetes_ca_cert=@ca.crt token_reviewer_jwt=@reviewer.jwt"
    )
