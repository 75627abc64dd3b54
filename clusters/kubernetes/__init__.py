"""The one door to Kubernetes. Nothing else in the product talks to an API server."""

from clusters.kubernetes.door import Door, connect, connect_text
from clusters.kubernetes.errors import (
    Changed,
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    KindMissing,
    NotFound,
    Unauthorized,
    Unreachable,
    Untrusted,
    WebhookFailed,
)
from clusters.kubernetes.workloads import Workload

__all__ = [
    "Changed",
    "ClusterError",
    "Conflict",
    "Door",
    "Forbidden",
    "Invalid",
    "KindMissing",
    "NotFound",
    "Unauthorized",
    "Unreachable",
    "Untrusted",
    "WebhookFailed",
    "Workload",
    "connect",
    "connect_text",
]
