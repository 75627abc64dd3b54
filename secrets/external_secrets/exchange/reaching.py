"""What of a cluster's objects somebody may see whose roles are limited to namespaces or to names."""

from accounts.authority import Authority
from accounts.roles import Permission
from clusters.models import Cluster
from external_secrets.exchange.finding import Found
from external_secrets.exchange.reading import Foreign, Reference, Takes


def reached(found: Found, authority: Authority, cluster: Cluster) -> Found:
    """Return of what others made in a cluster what somebody may see: all of it, or what lies within the limits.

    An external secret is seen when each name that it takes may be; a store when one that is seen reads from it.
    """
    if authority.everywhere(Permission.EXTERNAL_SECRET_VIEW, cluster=cluster.name):
        return found
    externals = [one for one in found.externals if _sees(found, one, authority, cluster.name)]
    stores = {reference.store for one in externals for reference in one.references}
    secrets = {(one.namespace, one.secret) for one in externals}
    return Found(
        externals=externals,
        stores={key: store for key, store in found.stores.items() if key in stores},
        groups=[one for one in found.groups if one.namespace and _all_of(authority, cluster, one.namespace)],
        uses={key: uses for key, uses in found.uses.items() if key in secrets},
        troubles=found.troubles,
        is_old=found.is_old,
    )


def _all_of(authority: Authority, cluster: Cluster, namespace: str) -> bool:
    return authority.everywhere(Permission.EXTERNAL_SECRET_VIEW, cluster=cluster.name, namespace=namespace)


def _sees(found: Found, one: Foreign, authority: Authority, cluster: str) -> bool:
    place = {"cluster": cluster, "namespace": one.namespace}
    if authority.everywhere(Permission.EXTERNAL_SECRET_VIEW, **place):
        return True
    return bool(one.references) and all(
        reference.takes != Takes.TAGS
        and authority.allows(Permission.EXTERNAL_SECRET_VIEW, secret=_name(found, reference), **place)
        for reference in one.references
    )


def _name(found: Found, reference: Reference) -> str:
    """Return what is read upstream: some stores put something before every name."""
    store = found.stores.get(reference.store)
    return f"{store.prefix if store else ''}{reference.key}"
