"""The objects that an access becomes: a ClusterSecretStore, the Secret with its credential, its ServiceAccount."""

import base64
import json
from typing import Any

from django.utils.crypto import salted_hmac

from accesses import providers
from accesses.models import Access, AccessDraft
from clusters.models import Cluster

API = "external-secrets.io/v1"
MANAGED_BY = "app.kubernetes.io/managed-by"
CLUSTER = "keyhaven.io/cluster"
OWNER = "keyhaven.io/owner"
US = "keyhaven"
HIDDEN = "<set, not shown>"
# Tells, without reading a Secret, whether it holds what is configured.
DIGEST = "keyhaven.io/digest"


def labels(cluster: Cluster, owner: object) -> dict[str, str]:
    """Return the labels of everything that we make."""
    return {MANAGED_BY: US, CLUSTER: str(cluster.pk), OWNER: str(owner)}


def selector(cluster: Cluster) -> str:
    """Return the selector of what this console made for this cluster."""
    return f"{MANAGED_BY}={US},{CLUSTER}={cluster.pk}"


def store(access: Access) -> dict[str, Any]:
    """Return the ClusterSecretStore, open to the access's namespaces only."""
    provider = providers.PROVIDERS[access.provider]
    auth = provider.method_of(access).auth(access, access.cluster.operator_namespace)
    return {
        "apiVersion": API,
        "kind": "ClusterSecretStore",
        "metadata": {"name": access.store_name, "labels": labels(access.cluster, access.pk)},
        "spec": {
            "conditions": [{"namespaces": sorted(access.namespaces)}],
            "provider": provider.store_provider(access, auth),
        },
    }


def secret(access: Access) -> dict[str, Any] | None:
    """Return the Secret with the credential, values included, or None when the method needs none."""
    data = providers.PROVIDERS[access.provider].method_of(access).secret_data(access)
    if not data:
        return None
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": access.store_name,
            "namespace": access.cluster.operator_namespace,
            "labels": labels(access.cluster, access.pk),
            "annotations": {DIGEST: _digest(access, data)},
        },
        "type": "Opaque",
        # Not stringData: a key that is dropped there stays in the Secret.
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def service_account(access: Access | AccessDraft) -> dict[str, Any] | None:
    """Return the access's own ServiceAccount, as which the operator signs in, or None when the method needs none."""
    annotations = providers.PROVIDERS[access.provider].method_of(access).annotations
    if annotations is None:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": access.service_account,
            "namespace": access.cluster.operator_namespace,
            "labels": labels(access.cluster, access.pk),
            "annotations": annotations(access),
        },
        # No pod runs as it.
        "automountServiceAccountToken": False,
    }


def _digest(access: Access, data: dict[str, str]) -> str:
    """Return a digest under the console's own key, from which nobody else can try values."""
    content = json.dumps([str(access.pk), data], sort_keys=True)
    return salted_hmac("keyhaven.credential", content, algorithm="sha256").hexdigest()[:32]


def preview(access: Access) -> list[dict[str, Any]]:
    """Return what a deploy applies for this access, without a value."""
    shown = secret(access)
    if shown is not None:
        shown["data"] = dict.fromkeys(shown["data"], HIDDEN)
    return [manifest for manifest in (shown, service_account(access), store(access)) if manifest]
