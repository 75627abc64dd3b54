"""The kinds that the product reads or writes, so that no request is spent on discovery."""

from urllib.parse import quote

from clusters.kubernetes import errors

# (apiVersion, kind) → (plural, namespaced)
KINDS: dict[tuple[str, str], tuple[str, bool]] = {
    ("v1", "Namespace"): ("namespaces", False),
    ("v1", "Secret"): ("secrets", True),
    ("v1", "ConfigMap"): ("configmaps", True),
    ("v1", "ServiceAccount"): ("serviceaccounts", True),
    ("v1", "Event"): ("events", True),
    ("v1", "Node"): ("nodes", False),
    ("apps/v1", "Deployment"): ("deployments", True),
    ("apps/v1", "StatefulSet"): ("statefulsets", True),
    ("batch/v1", "CronJob"): ("cronjobs", True),
    ("rbac.authorization.k8s.io/v1", "Role"): ("roles", True),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): ("rolebindings", True),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): ("customresourcedefinitions", False),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"): (
        "validatingwebhookconfigurations",
        False,
    ),
    ("external-secrets.io/v1", "ClusterSecretStore"): ("clustersecretstores", False),
    ("external-secrets.io/v1", "SecretStore"): ("secretstores", True),
    ("external-secrets.io/v1", "ExternalSecret"): ("externalsecrets", True),
    ("external-secrets.io/v1", "ClusterExternalSecret"): ("clusterexternalsecrets", False),
    # Only read: what an operator of before 0.16 serves.
    ("external-secrets.io/v1beta1", "ClusterSecretStore"): ("clustersecretstores", False),
    ("external-secrets.io/v1beta1", "SecretStore"): ("secretstores", True),
    ("external-secrets.io/v1beta1", "ExternalSecret"): ("externalsecrets", True),
    ("external-secrets.io/v1beta1", "ClusterExternalSecret"): ("clusterexternalsecrets", False),
    ("external-secrets.io/v1alpha1", "PushSecret"): ("pushsecrets", True),
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): ("selfsubjectaccessreviews", False),
    ("authentication.k8s.io/v1", "SelfSubjectReview"): ("selfsubjectreviews", False),
}


def path(api_version: str, kind: str, namespace: str | None = None, name: str = "") -> str:
    """Return the path of an object, of a kind's list, or of a kind's list in one namespace.

    :raises KindMissing: the product does not know the kind
    :raises Invalid: a name that could lead to another path
    """
    if (api_version, kind) not in KINDS:
        raise errors.KindMissing(f"Keyhaven does not handle {kind} of {api_version}.")
    plural, namespaced = KINDS[api_version, kind]
    root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
    within = f"/namespaces/{_part(namespace)}" if namespaced and namespace else ""
    return f"{root}{within}/{plural}" + (f"/{_part(name)}" if name else "")


def _part(name: str) -> str:
    if name in (".", ".."):
        raise errors.Invalid(f"{name} is no name.")
    return quote(name, safe="")
