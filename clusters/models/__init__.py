"""The app's models, each beside its resource."""

from clusters.models.clusters import Cluster, ConnectDraft, Drift, Service
from clusters.models.deploys import Deploy, DeployChange, DeployLine, DeployStep
from clusters.models.looks import Look

__all__ = [
    "Cluster",
    "ConnectDraft",
    "Deploy",
    "DeployChange",
    "DeployLine",
    "DeployStep",
    "Drift",
    "Look",
    "Service",
]
