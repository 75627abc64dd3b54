"""A running sandbox cluster as one of Kapsule's: the Scaleway stand-in tells of it, and says whose secret key signs in."""

import json
import urllib.request
from collections.abc import Callable
from typing import Any

from sandbox.kubernetes import Cluster, rbac
from sandbox.kubernetes.identity import EVERYTHING, READING, User

# What the cluster gives to whom KubernetesReadOnly lets in, as Kapsule says it: a look at most things.
MASTERS = "KubernetesSystemMastersGroupAccess"


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        found: dict[str, Any] = json.loads(answer.read())
        return found


def enroll(url: str, cluster: Cluster, name: str, **more: Any) -> str:
    """Let Kapsule know a running cluster, which from now on takes Scaleway's secret keys, and return its ID."""
    cluster.identities.authenticators.append(authenticator(url, cluster))
    given = {
        "name": name, "kubeconfig": cluster.kubeconfig(), "cluster_url": cluster.url,
        "version": cluster.api.version.removeprefix("v"),
    }  # fmt: skip
    return str(_post(f"{url}/sandbox/clusters", given | more)["id"])


def authenticator(url: str, cluster: Cluster) -> Callable[[str], User | None]:
    """Return what tells a Kapsule cluster who holds a secret key; one whom no permission set lets in is nobody."""

    def who(token: str) -> User | None:
        if token.count("-") != 4 or len(token) != 36:
            return None
        try:
            found = _post(f"{url}/sandbox/whoami", {"token": token})
        except OSError:
            return None
        if not found["bearer"] or not found["enters"]:
            return None
        name = f"scaleway:bearer:{found['bearer']}"
        rules = EVERYTHING if MASTERS in found["sets"] else READING
        return User(name, [*rules, rbac.ISSUER, *rbac.bound(cluster.store, name)])

    return who
