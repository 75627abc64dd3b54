"""The one door to Kubernetes. Nothing else in the product talks to an API server."""

from clusters.kubernetes.door import Door, connect, connect_text
from clusters.kubernetes.errors import (
    Busy,
    Changed,
    ClusterError,
    Conflict,
    Forbidden,
    Gone,
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
    "Busy",
    "Changed",
    "ClusterError",
    "Conflict",
    "Door",
    "Forbidden",
    "Gone",
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
