"""What the cards for another cluster's Secrets show, as texts to paste."""

from typing import TYPE_CHECKING, Any

from accesses.providers import tokens
from accesses.providers.kubernetes import manifests

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft


def _known(access: "Access | AccessDraft", name: str, otherwise: str) -> str:
    return str(access.configuration.get(name) or otherwise)


def _token(access: "Access | AccessDraft") -> dict[str, Any]:
    """Return what makes a ServiceAccount with a token in the other cluster, and the commands that show both."""
    space = _known(access, "namespace", "NAMESPACE")
    own = (
        f"apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: keyhaven, namespace: {space}}}\n---\n"
        f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: keyhaven-token\n  namespace: {space}\n"
        "  annotations: {kubernetes.io/service-account.name: keyhaven}\ntype: kubernetes.io/service-account-token\n---\n"
    )
    token = f"kubectl -n {space} get secret keyhaven-token -o jsonpath='{{.data.%s}}' | base64 -d"
    return {
        "cluster": access.cluster.name,
        "manifests": own + manifests.role(space, "keyhaven", space),
        "may": f"kubectl auth can-i get secrets -n {space} --as system:serviceaccount:{space}:keyhaven",
        "copies": "\n".join(
            (
                token % "token",
                token % "ca\\.crt",
                "kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}'",
            )
        ),
    }


def _service_account(access: "Access | AccessDraft") -> dict[str, Any]:
    """Return the Role for the access's own ServiceAccount, and the question whether it holds."""
    space, name = _known(access, "namespace", "NAMESPACE"), access.service_account
    return {
        "manifests": manifests.role(space, name, access.cluster.operator_namespace),
        "may": f"kubectl auth can-i get secrets -n {space} --as {tokens.subject(access)}",
    }


_MAKERS = {"token": _token, "service-account": _service_account}


def of(access: "Access | AccessDraft") -> dict[str, Any]:
    """Return what the cards of its method show."""
    return _MAKERS[access.method](access) if access.method in _MAKERS else {}
