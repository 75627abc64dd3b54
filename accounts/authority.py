"""What somebody may do, and where: the roles of a member, each perhaps limited to clusters, namespaces and names."""

import functools
import operator
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Q

from accounts import patterns
from accounts.roles import PERMISSIONS, Permission, Role


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

    def __str__(self) -> str:
        parts = (("cluster", self.clusters), ("namespace", self.namespaces), ("secrets", self.prefixes))
        return ", ".join(f"{word} {' or '.join(names)}" for word, names in parts if names) or "everywhere"


EVERYWHERE = Scope()


def _matches(allowed: tuple[str, ...], name: str | None) -> bool:
    return not allowed or name is None or any(patterns.matches(pattern, name) for pattern in allowed)


@dataclass(frozen=True, slots=True)
class Grant:
    """One role that somebody has: its name in words, what it allows, and where."""

    role: str
    permissions: frozenset[str]
    scope: Scope = EVERYWHERE


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
    """A model's look-ups to what roles are limited by; empty where it has no such thing."""

    cluster: str = ""
    namespace: str = ""
    secret: str = ""


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

    def everywhere(self, permission: Permission) -> bool:
        """Tell whether an act is allowed without any limit."""
        return bool(self.layers) and all(
            any(permission in grant.permissions and grant.scope.unlimited for grant in layer)
            for layer in self.layers
        )

    def limit(self, permission: Permission, paths: Paths) -> Q:
        """Return the filter that keeps the rows on which an act is allowed; none when it is allowed nowhere."""
        rule = Q() if self.layers else Q(pk__in=[])
        for layer in self.layers:
            held = [grant.scope for grant in layer if permission in grant.permissions]
            if any(scope.unlimited for scope in held):
                continue
            rule &= _any_of([_inside(scope, paths) for scope in held])
        return rule

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


def _inside(scope: Scope, paths: Paths) -> Q:
    rule = Q()
    if scope.clusters and paths.cluster:
        rule &= _any_of([_glob(paths.cluster, pattern) for pattern in scope.clusters])
    if scope.namespaces and paths.namespace:
        rule &= _any_of([_glob(paths.namespace, pattern) for pattern in scope.namespaces])
    if scope.prefixes and paths.secret:
        rule &= _any_of([Q(**{f"{paths.secret}__startswith": prefix}) for prefix in scope.prefixes])
    return rule


def _glob(path: str, pattern: str) -> Q:
    if "*" not in pattern:
        return Q(**{path: pattern})
    return Q(**{f"{path}__regex": patterns.expression(pattern)})
