"""A whole deploy to a sandbox cluster, whose operator reads what the access's stand-in holds."""

import base64
from typing import Any

from clusters import addons, kubeconfig
from clusters import services as clusters
from clusters.models import Cluster
from tests import factories
from tests.runs import make_run


def connected(kube: Any, **fields: Any) -> Cluster:
    """Connect a sandbox cluster, and know its workloads."""
    made = factories.make_cluster(name="prod", kubeconfig=kubeconfig.reduce(kube.kubeconfig()), **fields)
    found = clusters.check(made)
    clusters.refresh_services(found)
    return found


def deploy(cluster: Cluster) -> None:
    for step in addons.steps():
        step.apply(make_run(Cluster.objects.get(pk=cluster.pk)))


def link(access: Any, key: str, variable: str, **fields: Any) -> Any:
    """Link a secret to the workload `api` of the namespace `shop`."""
    service = access.cluster.services.get(namespace="shop", name="api")
    return factories.make_link(service=service, access=access, key=key, variable=variable, **fields)


def data(kube: Any, made: Any) -> dict[str, str]:
    """Return what the operator wrote into a link's Secret."""
    found = kube.get("Secret", made.object_name, "shop")
    return {name: base64.b64decode(text).decode() for name, text in found["data"].items()}
