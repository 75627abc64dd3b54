"""A small Kubernetes API over HTTPS that kubectl, Helm and the Python client can talk to."""

from sandbox.kubernetes.cluster import Cluster

__all__ = ["Cluster"]
