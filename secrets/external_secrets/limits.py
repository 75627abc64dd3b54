"""What somebody whose roles are limited may link on a cluster: which namespaces and which names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.authority import Authority
from accounts.limits import whole
from accounts.roles import Permission
from clusters.models import Cluster
from external_secrets.models import ExternalSecret

Takes = ExternalSecret.Takes
# So many beginnings stand in a sentence.
NAMED = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one person on one cluster; who has none has no object of this."""

    authority: Authority
    cluster: str

    @classmethod
    def of(cls, authority: Authority, cluster: Cluster) -> "Limits | None":
        """Return somebody's limits for linking on a cluster, None where there are none."""
        if authority.everywhere(Permission.EXTERNAL_SECRET_MANAGE, cluster=cluster.name):
            return None
        return cls(authority, cluster.name)

    def opens(self, namespace: str) -> bool:
        """Tell whether something may be linked in a namespace."""
        return self.authority.allows(
            Permission.EXTERNAL_SECRET_MANAGE, cluster=self.cluster, namespace=namespace
        )

    def shows(self, link: ExternalSecret) -> bool:
        """Tell whether the name that a link takes may be said."""
        return self.authority.allows(
            Permission.EXTERNAL_SECRET_VIEW, cluster=self.cluster, namespace=link.namespace, secret=link.key
        )

    def why_not(self, namespace: str) -> str:
        """Return why nothing may be linked in a namespace, or an empty string."""
        return "" if self.opens(namespace) else f"your roles do not reach the namespace {namespace}"

    def wrong(self, namespaces: Iterable[str], values: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return the field and why what a link would take (`takes`, `key`) may not be taken in any of the namespaces."""
        prefixes = self.authority.prefixes(
            Permission.EXTERNAL_SECRET_MANAGE, cluster=self.cluster, namespaces=namespaces
        )
        takes, key = values.get("takes", Takes.VALUE), str(values.get("key", ""))
        if prefixes == whole:
            return None
        reach = f"Your roles reach only names that begin with {_listed(prefixes)}."
        if takes == Takes.TAGS:
            return "tags", f"{reach} Which names have a tag cannot be told; take secrets by name or by path."
        if key.startswith(prefixes):
            # Every provider's names below a path begin with the path.
            return None
        # What an ARN names is known only where an inventory has it; a name tells by itself.
        return (
            ("below", f"{reach} The whole path has to lie there.") if takes == Takes.PATH else ("key", reach)
        )


def _listed(prefixes: tuple[str, ...]) -> str:
    shown = ", ".join(prefixes[:NAMED]) or "nothing here"
    return f"{shown} and {len(prefixes) - NAMED} more" if prefixes[NAMED:] else shown
