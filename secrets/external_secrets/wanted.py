"""Which variables and files each container of a workload gets, from which link, and what wins over what.

No request and no query: a deploy and the pages that show the order tell the same story.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from clusters.models import Service
from external_secrets.models import ExternalSecret

# (kind, namespace, name)
type Place = tuple[str, str, str]
# (container, variable) or (container, absolute path)
type Slot = tuple[str, str]

_ILLEGAL = re.compile(r"[^A-Z0-9_]")


class Form(StrEnum):
    """As what something arrives. PATH is a variable that holds the path of a file."""

    VARIABLE = "variable"
    FILE = "file"
    PATH = "path"


class Origin(StrEnum):
    SERVICE = "service"
    NAMESPACE = "namespace"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One variable or file of one container, and the link that gives it.

    `key` is the one of the target Secret, empty where all of them are taken (a directory of several). What loses
    says to what: `loser_to` is the other one, `own` that the workload sets it itself.
    """

    container: str
    name: str
    form: Form
    link: ExternalSecret
    key: str = ""
    loser_to: "Wanted | None" = None
    own: bool = False

    @property
    def slot(self) -> Slot:
        return self.container, self.name

    @property
    def secret(self) -> str:
        """The Secret that it comes from."""
        return self.link.object_name

    @property
    def wins(self) -> bool:
        return self.loser_to is None and not self.own

    @property
    def origin(self) -> Origin:
        return Origin.NAMESPACE if self.link.service_id is None else Origin.SERVICE

    @property
    def several(self) -> bool:
        """It is one of those that a link of several values gives, or the directory of all of them."""
        return is_several(self.link)

    @property
    def alias_of(self) -> ExternalSecret | None:
        return self.link.alias_of

    @property
    def gives_way(self) -> bool:
        """It was not meant for this workload by its name: what the workload has itself wins without a failure."""
        return self.origin == Origin.NAMESPACE or (self.several and self.form == Form.VARIABLE)

    @property
    def why_not(self) -> str:
        """Why it does not arrive, or an empty string."""
        if self.own:
            return "The workload sets it itself."
        if self.loser_to is None:
            return ""
        if self.loser_to.link.pk == self.link.pk:
            return f"{self.loser_to.key} and {self.key} make the same variable; the first one wins."
        return f"{self.loser_to.link.key or self.loser_to.link.title} of {_reach(self.loser_to)} wins."


def _reach(one: Wanted) -> str:
    where = one.link.place
    return f"{where}, container {one.link.container}" if one.link.container else where


def original(link: ExternalSecret) -> ExternalSecret:
    """Return the link whose Secret is read."""
    return link.alias_of or link


def is_several(link: ExternalSecret) -> bool:
    return original(link).takes != ExternalSecret.Takes.VALUE


def variable_of(prefix: str, key: str) -> str:
    """Return the variable that a key of a Secret becomes: `DB_` and `max-size` make `DB_MAX_SIZE`."""
    name = prefix + _ILLEGAL.sub("_", key.upper())
    return f"_{name}" if name[:1].isdigit() else name


def is_for(link: ExternalSecret, place: Place) -> bool:
    """Tell whether a link is for a workload or for its whole namespace."""
    kind, namespace, name = place
    if link.namespace != namespace:
        return False
    return link.service is None or (link.service.kind, link.service.name) == (kind, name)


def for_workload(
    links: Iterable[ExternalSecret],
    place: Place,
    containers: Sequence[str],
    own: Collection[Slot] = frozenset(),
) -> list[Wanted]:
    """Return everything that links give a workload, the losers too; of one slot the winner is first.

    The narrower wins over the wider: a service over its namespace, one named over one of several, a container over
    all of them, and then the order of the links. `own` are the slots that the workload sets itself; a link that was
    made for this very service does not lose to them here, since that is a clash which somebody has to decide.
    """
    found: dict[Slot, list[Wanted]] = {}
    for link in links:
        if is_for(link, place):
            for container in _containers(link, containers):
                for one in _given(link, container):
                    found.setdefault(one.slot, []).append(one)
    decided: list[Wanted] = []
    for slot in sorted(found):
        first, *rest = sorted(found[slot], key=_rank)
        first = replace(first, own=slot in own and first.gives_way)
        decided += [first, *(replace(one, loser_to=first) for one in rest)]
    return decided


def for_service(service: Service, links: Iterable[ExternalSecret]) -> list[Wanted]:
    """Return the same for a service as it was last discovered."""
    own = {
        (container["name"], str(entry[name]))
        for container in service.containers
        for part, name in (("env", "name"), ("mounts", "path"))
        for entry in container.get(part, [])
        if isinstance(entry, dict) and not entry.get("ours")
    }
    place = (service.kind, service.namespace, service.name)
    return for_workload(links, place, service.container_names, own)


def _rank(one: Wanted) -> tuple[bool, bool, bool]:
    return one.origin == Origin.NAMESPACE, one.several, not one.link.container


def _containers(link: ExternalSecret, containers: Sequence[str]) -> Sequence[str]:
    if not link.container:
        return containers
    # One of a namespace is for those that have it; one of a service says that it is gone.
    return [link.container] if link.container in containers or link.service_id else []


def _given(link: ExternalSecret, container: str) -> list[Wanted]:
    several = is_several(link)
    found = []
    if link.path:
        found.append(Wanted(container, link.path, Form.FILE, link, "" if several else link.secret_key))
    if link.target == ExternalSecret.Target.BOTH:
        found.append(Wanted(container, link.variable, Form.PATH, link))
    elif link.target == ExternalSecret.Target.VARIABLE:
        keys = original(link).seen_keys if several else [link.secret_key]
        found += [
            Wanted(
                container,
                variable_of(link.variable, key) if several else link.variable,
                Form.VARIABLE,
                link,
                key,
            )
            for key in keys
        ]
    return found
