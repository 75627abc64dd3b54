"""The objects that an access becomes: a ClusterSecretStore, the Secret with its credential, its ServiceAccount."""

import base64
import json
from typing import Any

from django.utils.crypto import salted_hmac

from accesses import providers, variants
from accesses.models import Access, AccessDraft, StoreVariant
from accesses.providers.references import Varied
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
    return _store(access, access.store_name, _spec(access))


def _spec(access: Access) -> dict[str, Any]:
    provider = providers.PROVIDERS[access.provider]
    auth = provider.method_of(access).auth(access, access.cluster.operator_namespace)
    return provider.store_provider(access, auth)


def _store(access: Access, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "ClusterSecretStore",
        "metadata": {"name": name, "labels": labels(access.cluster, access.pk)},
        "spec": {"conditions": [{"namespaces": sorted(access.namespaces)}], "provider": spec},
    }


def _varied(access: Access, variant: StoreVariant) -> Varied:
    return providers.PROVIDERS[access.provider].references_of(access).vary(access, variant, _spec(access))


def stores(access: Access) -> list[dict[str, Any]]:
    """Return its own ClusterSecretStore, then one for each of its variants that links use."""
    found = [_store(access, one.store_name, _varied(access, one).spec) for one in variants.used(access)]
    return [store(access), *found]


def signing_in(access: Access) -> list[dict[str, Any]]:
    """Return the Secret and the ServiceAccounts that its stores refer to."""
    accounts = [
        _service_account(access, one.service_account, annotations)
        for one in variants.used(access)
        if (annotations := _varied(access, one).annotations) is not None
    ]
    return [one for one in (secret(access), service_account(access), *accounts) if one]


def secret(access: Access) -> dict[str, Any] | None:
    """Return the Secret with the credential, values included, or None when the method needs none."""
    provider = providers.PROVIDERS[access.provider]
    data = provider.method_of(access).secret_data(access)
    if not data:
        return None
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": access.store_name,
            "namespace": access.cluster.operator_namespace,
            "labels": labels(access.cluster, access.pk) | dict(provider.secret_labels),
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
    return _service_account(access, access.service_account, annotations(access))


def _service_account(access: Access | AccessDraft, name: str, annotations: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": name,
            "namespace": access.cluster.operator_namespace,
            "labels": labels(access.cluster, access.pk),
            "annotations": annotations,
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
    shown = [*signing_in(access), *stores(access)]
    for one in shown:
        if one["kind"] == "Secret":
            one["data"] = dict.fromkeys(one["data"], HIDDEN)
    return shown
