"""The app's models, each beside its resource."""

from clusters.models.clusters import Cluster, Drift, Service
from clusters.models.deploys import Deploy, DeployLine, DeployStep

__all__ = ["Cluster", "Deploy", "DeployLine", "DeployStep", "Drift", "Service"]
