"""What a custom role may be: the same for its form and for the API."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from accounts.authority import Grant, custom
from accounts.roles import INCLUDES, OF_A_CLUSTER, OF_A_NAMESPACE, Permission, Role

# Not of custom roles: every member sees the organization, and handing it over is the owner's alone.
NOT_CHOSEN = frozenset({Permission.ORGANIZATION_VIEW, Permission.ORGANIZATION_MANAGE})
CHOSEN = frozenset(Permission) - NOT_CHOSEN
RESERVED = frozenset(str(word).lower() for role in Role for word in (role.value, role.label)) | {"no role"}
MOST = 20
LONGEST = {"clusters": 40, "namespaces": 63, "prefixes": 200}

_NAME = re.compile(r"[a-z0-9*](?:[a-z0-9*-]*[a-z0-9*])?")
_PREFIX = re.compile(r"[^\s*\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A custom role as somebody wants it; see `CustomRole` for what the fields mean."""

    name: str
    description: str = ""
    permissions: tuple[Permission, ...] = ()
    clusters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    @property
    def grant(self) -> Grant:
        return custom(self.name, self.permissions, self.clusters, self.namespaces, self.prefixes)


def complete(permissions: Iterable[str]) -> tuple[Permission, ...]:
    """Return what custom roles may hold of some permissions, with what each includes, in their order."""
    chosen = {one for one in CHOSEN if one in set(permissions)}
    held = chosen.union(*(INCLUDES.get(one, frozenset()) for one in chosen))
    return tuple(one for one in Permission if one in held)


def problems(wanted: Wanted) -> dict[str, str]:
    """Return what is wrong with a role, in words by the field; empty when it may be stored."""
    found = {
        "name": _wrong_name(wanted.name),
        "permissions": "" if wanted.permissions else "Choose at least one permission.",
        "clusters": _wrong_names(wanted.clusters, "clusters") or _too_wide(wanted, "clusters", OF_A_CLUSTER),
        "namespaces": _wrong_names(wanted.namespaces, "namespaces")
        or _too_wide(wanted, "namespaces", OF_A_NAMESPACE),
        "prefixes": _wrong_prefixes(wanted.prefixes) or _too_wide(wanted, "prefixes", OF_A_NAMESPACE),
    }
    return {field: words for field, words in found.items() if words}


def _wrong_name(name: str) -> str:
    if not name:
        return "Give the role a name."
    if name.lower() in RESERVED:
        return f"{name} is the name of a built-in role. Choose another."
    if any(not character.isprintable() for character in name) or "," in name:
        return "A role's name has no commas and no invisible characters."
    return ""


def _wrong_names(names: tuple[str, ...], field: str) -> str:
    noun, longest = field.removesuffix("s"), LONGEST[field]
    for name in names:
        if name.strip("*") == "":
            return f"Leave this empty for all {field}, instead of “{name}”."
        if not _NAME.fullmatch(name):
            return f"“{name}” is no name of a {noun}: use lower-case letters, digits and hyphens, and * for anything."
        if len(name) > longest:
            return f"“{name}” is longer than a {noun}'s name, which has at most {longest} characters."
    return _too_many(names)


def _wrong_prefixes(prefixes: tuple[str, ...]) -> str:
    for prefix in prefixes:
        if "*" in prefix:
            return f"“{prefix}”: write the beginning alone, without *; whatever follows is meant."
        if not _PREFIX.fullmatch(prefix) or len(prefix) > LONGEST["prefixes"]:
            return f"“{prefix[:40]}” is no beginning of a secret's name."
    return _too_many(prefixes)


def _too_many(words: tuple[str, ...]) -> str:
    return f"At most {MOST}; with * one can mean several." if len(words) > MOST else ""


def _too_wide(wanted: Wanted, field: str, possible: frozenset[Permission]) -> str:
    """Say which permissions a role that is limited by `field` cannot hold."""
    limits: Mapping[str, tuple[str, ...]] = {
        "clusters": wanted.clusters,
        "namespaces": wanted.namespaces,
        "prefixes": wanted.prefixes,
    }
    wide = [one for one in wanted.permissions if one not in possible]
    if not limits[field] or not wide:
        return ""
    noun = {"clusters": "clusters", "namespaces": "namespaces", "prefixes": "names of secrets"}[field]
    return f"A role limited to {noun} cannot hold: {'; '.join(one.sentence for one in wide)}. Put these into a role of their own."
