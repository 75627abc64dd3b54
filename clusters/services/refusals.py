"""Why a cluster cannot be connected, changed or disconnected as somebody asked."""


class NameTaken(ValueError):
    """The organization already has a cluster of that name."""


class Changed(ValueError):
    """Somebody else changed the cluster since the form was shown."""


class WrongAccount(ValueError):
    """The credential is of another cloud or account than the cluster."""


class AccountInUse(ValueError):
    """Accesses rely on the cluster's account."""


class Busy(ValueError):
    """A deploy runs on the cluster."""
