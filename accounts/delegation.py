"""Who may give what: nobody gives a role, or puts into one, more than they hold themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from accounts import patterns
from accounts.authority import Authority, Grant, Scope
from accounts.roles import Permission

# Stands for a limit that a scope does not have.
_ANY = "*"


@dataclass(frozen=True, slots=True)
class TooMuch:
    """A permission of a role that is more than somebody holds, there or at all."""

    role: str
    permission: Permission
    scope: Scope

    def __str__(self) -> str:
        where = "" if self.scope.unlimited else f" ({self.scope})"
        return f"{self.role}: {self.permission.sentence}{where}"


def may_give(authority: Authority, grants: Iterable[Grant]) -> list[TooMuch]:
    """Return what of some roles is more than somebody holds; empty when all of it may be given.

    The same rule holds for taking a role away and for changing one. Where two roles of a person hold a part of a
    place each, neither counts as the whole.
    """
    return [
        TooMuch(grant.role, permission, grant.scope)
        for grant in grants
        for permission in Permission
        if permission in grant.permissions and not _holds(authority, permission, grant.scope)
    ]


def _holds(authority: Authority, permission: Permission, scope: Scope) -> bool:
    """Tell whether an act is allowed in every corner of a scope, by each layer."""
    return bool(authority.layers) and all(
        _layer_holds([grant.scope for grant in layer if permission in grant.permissions], scope)
        for layer in authority.layers
    )


def _layer_holds(held: list[Scope], scope: Scope) -> bool:
    corners = product(scope.clusters or (_ANY,), scope.namespaces or (_ANY,), scope.prefixes or ("",))
    return all(any(_covers(one, *corner) for one in held) for corner in corners)


def _covers(held: Scope, cluster: str, namespace: str, prefix: str) -> bool:
    return (
        _inside(held.clusters, cluster)
        and _inside(held.namespaces, namespace)
        and (not held.prefixes or prefix.startswith(held.prefixes))
    )


def _inside(held: tuple[str, ...], pattern: str) -> bool:
    return not held or any(patterns.contains(outer, pattern) for outer in held)


class MoreThanHeld(Exception):
    """Somebody gives, changes or takes away a role that is more than they hold themselves."""

    def __init__(self, excess: list[TooMuch]) -> None:
        self.excess = excess
        roles = list(dict.fromkeys(one.role for one in excess))
        first = excess[0].permission.sentence
        words = " and ".join(roles)
        super().__init__(f"{words}: more than your own roles allow, for example “{first}”.")


def check(authority: Authority, grants: Iterable[Grant]) -> None:
    """Refuse what `may_give` finds too much.

    :raises MoreThanHeld: some of it is
    """
    if excess := may_give(authority, grants):
        raise MoreThanHeld(excess)
