"""The app's models, each beside its resource."""

from clusters.models.clusters import Cluster, ConnectDraft, Drift, Service
from clusters.models.deploys import Deploy, DeployChange, DeployLine, DeployStep
from clusters.models.health import Health
from clusters.models.looks import Look
from clusters.models.rotations import Move, Rotation

__all__ = [
    "Cluster",
    "ConnectDraft",
    "Deploy",
    "DeployChange",
    "DeployLine",
    "DeployStep",
    "Drift",
    "Health",
    "Look",
    "Move",
    "Rotation",
    "Service",
]
