"""The app's models, each beside its resource."""

from clusters.models.clusters import Cluster, ConnectDraft, Drift, Service
from clusters.models.deploys import Deploy, DeployLine, DeployStep

__all__ = ["Cluster", "ConnectDraft", "Deploy", "DeployLine", "DeployStep", "Drift", "Service"]
