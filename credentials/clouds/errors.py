"""What can go wrong at a cloud or a secret manager. The vendor's own words are left out: they may quote the request."""


class ProviderError(Exception):
    """A request to a secret manager failed. `reason` says what, `remedy` what to do."""

    remedy_text = "Look at the secret manager's own log."
    retryable = False

    def __init__(self, reason: str, remedy: str = "") -> None:
        self.reason = reason
        self.remedy = remedy or self.remedy_text
        super().__init__(reason)


class CredentialRefused(ProviderError):
    """The secret manager does not know the credential, any more."""

    remedy_text = "Check the keys, or make new ones and replace them here."


class TrustMissing(CredentialRefused):
    """The cloud does not trust the cluster's token; `policy` is the trust that is needed, as text to copy."""

    remedy_text = "Give the role the trust policy that this page shows."

    def __init__(self, reason: str, remedy: str = "", policy: str = "") -> None:
        self.policy = policy
        super().__init__(reason, remedy)


class NotPossibleHere(ProviderError):
    """The console has no way to sign in as this identity; the operator in the cluster has."""

    remedy_text = "Type names instead of browsing them; the operator tells whether it reads them."


class PermissionMissing(ProviderError):
    """The credential is good but lacks a permission, which is named; `policy` is what to add, as text to copy."""

    def __init__(self, permission: str, reason: str = "", remedy: str = "", policy: str = "") -> None:
        self.permission, self.policy = permission, policy
        super().__init__(reason or f"The credential lacks {permission}.", remedy or f"Grant {permission}.")


class NotReachable(ProviderError):
    """No answer."""

    remedy_text = "Check that the console's network reaches the secret manager, and the region."
    retryable = True


class ClusterSilent(NotReachable):
    """The cluster gives no answer, of which a request to the secret manager needed one."""


class Throttled(ProviderError):
    """Too many requests."""

    remedy_text = "Wait a minute and try again."
    retryable = True


class LimitReached(ProviderError):
    """The account may not have more of it."""

    remedy_text = "Remove what is not needed, or raise the account's quota."


class NotThere(ProviderError):
    """What was asked for does not exist."""

    remedy_text = "Check the name and the region."


class AlreadyThere(ProviderError):
    """What was to be made exists."""

    remedy_text = "Choose another name, or give the one that is there a new version."


class Raced(ProviderError):
    """Somebody else changed the same at the same time."""

    remedy_text = "Try again in a moment."
    retryable = True


class NotValid(ProviderError):
    """The cloud does not take the request; of what was made a moment ago, perhaps because it does not know it yet."""
