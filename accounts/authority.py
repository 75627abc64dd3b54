"""What somebody may do, and where: the roles of a member, each perhaps limited to clusters, namespaces and names."""

import functools
import itertools
import operator
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Q

from accounts import patterns
from accounts.limits import shared, whole
from accounts.roles import OF_A_CLUSTER, OF_A_NAMESPACE, PERMISSIONS, Permission, Role


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a role holds. Clusters and namespaces are names in which `*` stands for anything, `prefixes` are
    beginnings of secrets' names; empty means everywhere."""

    clusters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    @property
    def unlimited(self) -> bool:
        return not (self.clusters or self.namespaces or self.prefixes)

    def covers(self, cluster: str | None, namespace: str | None, secret: str | None) -> bool:
        """Tell whether a place is inside; None is a dimension that is not asked about."""
        return (
            _matches(self.clusters, cluster)
            and _matches(self.namespaces, namespace)
            and (not self.prefixes or secret is None or secret.startswith(self.prefixes))
        )

    def is_whole(self, cluster: str | None, namespace: str | None) -> bool:
        """Tell whether everything of a place is inside: what is left out must not be limited, and names never."""
        return (
            not self.prefixes
            and (not self.clusters or (cluster is not None and _matches(self.clusters, cluster)))
            and (not self.namespaces or (namespace is not None and _matches(self.namespaces, namespace)))
        )

    def __str__(self) -> str:
        parts = (("cluster", self.clusters), ("namespace", self.namespaces), ("secrets", self.prefixes))
        return ", ".join(f"{word} {' or '.join(names)}" for word, names in parts if names) or "everywhere"


EVERYWHERE = Scope()


def _matches(allowed: tuple[str, ...], name: str | None) -> bool:
    return not allowed or name is None or any(patterns.matches(pattern, name) for pattern in allowed)


@dataclass(frozen=True, slots=True)
class Grant:
    """One role that somebody has: its name in words, what it allows, and where.

    With a limit it allows only what can be limited so. Whoever may do anything may see that the organization is there.
    """

    role: str
    permissions: frozenset[str]
    scope: Scope = EVERYWHERE

    def __post_init__(self) -> None:
        kept = self.permissions
        if not self.scope.unlimited:
            kept &= OF_A_NAMESPACE if self.scope.namespaces or self.scope.prefixes else OF_A_CLUSTER
        seen = {Permission.ORGANIZATION_VIEW} if kept else set()
        object.__setattr__(self, "permissions", frozenset(kept | seen))


def built_in(role: str) -> Grant:
    """Return the grant of a built-in role; an unknown one grants nothing."""
    if role not in Role.values:
        return Grant(role, frozenset())
    return Grant(str(Role(role).label), PERMISSIONS[Role(role)])


def custom(
    name: str,
    permissions: Iterable[str],
    clusters: Iterable[str] = (),
    namespaces: Iterable[str] = (),
    prefixes: Iterable[str] = (),
) -> Grant:
    """Return the grant of a custom role; whoever has one sees the organization, by its name at least."""
    scope = Scope(tuple(clusters), tuple(namespaces), tuple(prefixes))
    return Grant(name, frozenset(permissions) | {Permission.ORGANIZATION_VIEW}, scope)


@dataclass(frozen=True, slots=True)
class Paths:
    """A model's look-ups to what roles are limited by; empty where it has no such thing.

    `namespaces` leads to an array of them: one that is inside is enough.
    """

    cluster: str = ""
    namespace: str = ""
    secret: str = ""
    namespaces: str = ""


@dataclass(frozen=True, slots=True)
class Authority:
    """What somebody may do. Each layer must allow it: a member has one, a member's API token has its own as well."""

    layers: tuple[tuple[Grant, ...], ...] = field(default=((),))

    def allows(
        self,
        permission: Permission,
        *,
        cluster: str | None = None,
        namespace: str | None = None,
        secret: str | None = None,
    ) -> bool:
        """Tell whether an act is allowed in a place; a dimension that is left out is not asked about."""
        return bool(self.layers) and all(
            any(
                permission in grant.permissions and grant.scope.covers(cluster, namespace, secret)
                for grant in layer
            )
            for layer in self.layers
        )

    def everywhere(
        self, permission: Permission, *, cluster: str | None = None, namespace: str | None = None
    ) -> bool:
        """Tell whether an act is allowed without any limit: anywhere, in all of a cluster, or in all of a namespace."""
        return bool(self.layers) and all(
            any(
                permission in grant.permissions and grant.scope.is_whole(cluster, namespace)
                for grant in layer
            )
            for layer in self.layers
        )

    def limit(self, permission: Permission, paths: Paths) -> Q:
        """Return the filter that keeps the rows on which an act is allowed; none when it is allowed nowhere."""
        if not self.layers:
            return Q(pk__in=[])
        held = [[grant.scope for grant in layer if permission in grant.permissions] for layer in self.layers]
        limited = [scopes for scopes in held if not any(scope.unlimited for scope in scopes)]
        if not limited:
            return Q()
        # A row is inside when one scope of each layer has it, so that layers cannot allow a part each.
        return _any_of([_inside(scopes, paths) for scopes in itertools.product(*limited)])

    def prefixes(
        self, permission: Permission, *, cluster: str, namespaces: Iterable[str] | None = None
    ) -> tuple[str, ...]:
        """Return beginnings of the names of secrets on which an act is allowed in a cluster, in order, none in another.

        With `namespaces` it is allowed in at least one of them. `("",)` is every name, `()` is none.
        """
        if self.everywhere(permission):
            return whole
        found: set[str] = set()
        if not self.layers:
            return ()
        for namespace in [None] if namespaces is None else namespaces:
            names = whole
            for layer in self.layers:
                names = shared(names, self._prefixes(layer, permission, cluster, namespace))
            found |= set(names)
        return shared(tuple(found), whole)

    @staticmethod
    def _prefixes(
        layer: tuple[Grant, ...], permission: Permission, cluster: str, namespace: str | None
    ) -> tuple[str, ...]:
        scopes = [grant.scope for grant in layer if permission in grant.permissions]
        inside = [scope for scope in scopes if scope.covers(cluster, namespace, None)]
        return tuple(prefix for scope in inside for prefix in scope.prefixes or whole)

    def narrowed_by(self, grants: Iterable[Grant]) -> "Authority":
        """Return what is allowed by this and also by one of `grants`."""
        return Authority((*self.layers, tuple(grants)))

    def because(
        self,
        permission: Permission,
        *,
        cluster: str | None = None,
        namespace: str | None = None,
        secret: str | None = None,
    ) -> list[Grant]:
        """Return the member's own grants that allow an act in a place, in the order of the roles."""
        own = self.layers[0] if self.layers else ()
        return [
            grant
            for grant in own
            if permission in grant.permissions and grant.scope.covers(cluster, namespace, secret)
        ]


def _any_of(rules: list[Q]) -> Q:
    """Return the rules joined by or; an empty rule allows all, where Django's `|` would forget it."""
    if not rules:
        return Q(pk__in=[])
    return functools.reduce(operator.or_, rules) if all(rules) else Q()


def _inside(scopes: tuple[Scope, ...], paths: Paths) -> Q:
    """Return the rule for rows that are inside all of these scopes."""
    rule, open_to = Q(), []
    for scope in scopes:
        if scope.clusters and paths.cluster:
            rule &= _named(paths.cluster, scope.clusters)
        if scope.namespaces and paths.namespace:
            rule &= _named(paths.namespace, scope.namespaces)
        if scope.namespaces and paths.namespaces:
            open_to.append(patterns.expression(scope.namespaces))
        if scope.prefixes and paths.secret:
            rule &= _any_of([Q(**{f"{paths.secret}__startswith": prefix}) for prefix in scope.prefixes])
    return rule & Q(**{f"{paths.namespaces}__some_match": open_to}) if open_to else rule


def _named(path: str, names: tuple[str, ...]) -> Q:
    if not any("*" in name for name in names):
        return Q(**{f"{path}__in": list(names)})
    return Q(**{f"{path}__regex": patterns.expression(names)})
