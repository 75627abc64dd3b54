"""Tokens of an access's own ServiceAccount, by which the console signs in as the cluster would."""

from typing import TYPE_CHECKING

from clusters import kubernetes
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft


def subject(access: "Access | AccessDraft") -> str:
    """Return whom a token is for, as a cloud sees it: `system:serviceaccount:NAMESPACE:NAME`."""
    return f"system:serviceaccount:{access.cluster.operator_namespace}:{access.service_account}"


def token(access: "Access | AccessDraft", audience: str) -> str:
    """Return a token for one audience, good for ten minutes; it is used at once and kept nowhere.

    :raises ProviderError: the cluster does not give one
    """
    namespace, name = access.cluster.operator_namespace, access.service_account
    try:
        return kubernetes.connect(access.cluster).token(namespace, name, audience)
    except kubernetes.NotFound:
        raise errors.NotPossibleHere(
            f"The cluster does not have the ServiceAccount {namespace}/{name} yet.",
            "Test the access again, or deploy: both make it.",
        ) from None
    except kubernetes.Forbidden:
        raise errors.NotPossibleHere(
            f"The console may not ask for tokens of ServiceAccounts in {namespace}.",
            f"Allow it to create serviceaccounts/token in {namespace}. "
            "Until then names are typed instead of browsed.",
        ) from None
    except kubernetes.ClusterError as error:
        raise errors.ClusterSilent(
            f"The cluster does not give a token: {error.reason}", error.remedy
        ) from None


def of_the_operator() -> errors.NotPossibleHere:
    """Return why the console cannot sign in where the operator uses its own identity."""
    return errors.NotPossibleHere(
        "The identity belongs to the operator's pods; the console cannot sign in as it.",
        "Names are typed instead of browsed. Whether they are read, the operator tells after a deploy.",
    )
