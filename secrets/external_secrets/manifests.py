"""The ExternalSecret that a link becomes."""

import re
from typing import Any

from accesses import manifests as marks
from external_secrets import references
from external_secrets.models import ExternalSecret

# What marks our objects is said once.
API, MANAGED_BY, CLUSTER, US = marks.API, marks.MANAGED_BY, marks.CLUSTER, marks.US
KIND = "ExternalSecret"

# What means more than itself in the operator's queries (gjson), unless a backslash stands before it.
_QUERY = re.compile(r"(?<!\\)[*?|#@!{}\[\]()=<>%~]")


def interval(seconds: int) -> str:
    """Return a duration as the operator writes it back: `1h0m0s`."""
    return f"{seconds // 3600}h{seconds % 3600 // 60}m{seconds % 60}s"


def external_secret(link: ExternalSecret) -> dict[str, Any]:
    """Return the ExternalSecret of a link; its target Secret has the same name and the variable as its key."""
    policy = link.when_gone or link.WhenGone.RETAIN
    return {
        "apiVersion": API,
        "kind": KIND,
        "metadata": {
            "name": link.object_name,
            "namespace": link.namespace,
            "labels": marks.labels(link.cluster, link.pk),
        },
        "spec": {
            "refreshInterval": interval(jittered(link)),
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": link.store_name},
            # Only an owned Secret may be deleted: the operator's webhook refuses Delete with any other policy.
            "target": {"name": link.object_name, "creationPolicy": "Owner", "deletionPolicy": str(policy)},
            **_taken(link),
        },
    }


def _taken(link: ExternalSecret) -> dict[str, Any]:
    """Return what is read: `data` of one value, `dataFrom` of several."""
    if link.takes == link.Takes.VALUE:
        reference = _remote(link) | ({"property": gjson(link.json_field)} if link.json_field else {})
        return {"data": [{"secretKey": link.secret_key, "remoteRef": reference}]}
    if link.takes == link.Takes.KEYS:
        return {"dataFrom": [{"extract": _remote(link)}]}
    if link.takes == link.Takes.TAGS:
        return {"dataFrom": [{"find": {"tags": dict(sorted(link.tags.items()))}}]}
    # The operator finds by name or by tags; a path alone only narrows, and is not the same for each manager.
    start = references.options(link.access).below.prefix(link.key)
    return {"dataFrom": [{"find": {"path": link.key, "name": {"regexp": f"^{re.escape(start)}"}}}]}


def _remote(link: ExternalSecret) -> dict[str, str]:
    return {"key": link.key} | ({"version": link.version} if link.version else {})


def gjson(json_field: str) -> str:
    """Return a JSON field as the operator's query: dots lead deeper, unless a key has them; all else is literal."""
    return _QUERY.sub(r"\\\g<0>", json_field)


def jittered(link: ExternalSecret) -> int:
    """Return how many seconds lie between two readings: about what was chosen, always the same for a link.

    Secrets that are linked together would else be read together for good, and use up a manager's quota at once.
    """
    tenth = link.refresh_seconds // 10
    # Within ±10 %, by the link's own id; never shorter than a minute.
    shift = link.pk.int % (2 * tenth + 1) - tenth
    return max(60, link.refresh_seconds + shift)
