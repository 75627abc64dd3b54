"""The one door to Kubernetes. Nothing else in the product talks to an API server."""

from clusters.kubernetes.door import Door, connect, connect_text
from clusters.kubernetes.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    KindMissing,
    NotFound,
    Unauthorized,
    Unreachable,
    WebhookFailed,
)
from clusters.kubernetes.workloads import Workload

__all__ = [
    "ClusterError",
    "Conflict",
    "Door",
    "Forbidden",
    "Invalid",
    "KindMissing",
    "NotFound",
    "Unauthorized",
    "Unreachable",
    "WebhookFailed",
    "Workload",
    "connect",
    "connect_text",
]
