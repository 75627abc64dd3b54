"""Why a cluster cannot be connected, changed or disconnected as somebody asked."""

from clusters.models import Cluster


class NameTaken(ValueError):
    """The organization already has a cluster of that name."""


class Changed(ValueError):
    """Somebody else changed the cluster since the form was shown."""


class WrongAccount(ValueError):
    """The credential is of another cloud or account than the cluster."""


class AccountInUse(ValueError):
    """Accesses rely on the cluster's account."""


class StillNeeded(ValueError):
    """The cluster signs in by its credential, so it cannot be without."""


class AnotherCluster(ValueError):
    """The new way leads to another cluster."""


class AlreadyConnected(ValueError):
    """The organization has this cluster already, as `other`, None where that is not known."""

    def __init__(self, other: Cluster | None = None) -> None:
        self.other = other
        name = f", as {other.name}" if other else ""
        super().__init__(f"This cluster is connected already{name}.")


class Busy(ValueError):
    """A deploy runs on the cluster."""
