"""Who uses one upstream secret: over all accesses that reach it, from its links to services and clusters."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Q

from accesses.models import Access, StoreVariant
from accounts.authority import Authority
from accounts.models import Organization
from accounts.roles import Permission
from clusters.models import Cluster, Service
from external_secrets import browsing_uses
from external_secrets.models import ExternalSecret, InventoryEntry

# What of an access's configuration says where its secrets live, not as whom they are read.
_PLACE = ("region", "project", "location", "server", "endpoint", "url", "vault_url", "path", "mount")
_MANY = (ExternalSecret.Takes.PATH, ExternalSecret.Takes.TAGS)


@dataclass(frozen=True, slots=True)
class Home:
    """Where the names of an access live, as far as its configuration and its inventory tell."""

    provider: str
    place: tuple[str, ...]
    # Empty when nothing tells.
    account: str

    def is_same(self, other: "Home") -> bool | None:
        """Tell whether names mean the same in both; None when nothing tells."""
        if (self.provider, self.place) != (other.provider, other.place):
            return False
        return self.account == other.account if self.account and other.account else None


@dataclass(frozen=True, slots=True)
class Use:
    """A link to the secret, and the services that get it. `is_sure` is false when it may be another one of its name."""

    link: ExternalSecret
    services: list[Service]
    is_sure: bool = True


@dataclass(slots=True)
class Branch:
    """A cluster's part of the map."""

    cluster: Cluster
    uses: list[Use] = field(default_factory=list)


@dataclass(slots=True)
class Map:
    """Everything that hangs on one secret."""

    branches: list[Branch] = field(default_factory=list)
    unsure: list[Use] = field(default_factory=list)
    # The accesses that list the same secret.
    accesses: list[Access] = field(default_factory=list)

    @property
    def uses(self) -> list[Use]:
        return [use for branch in self.branches for use in branch.uses]

    @property
    def services(self) -> list[Service]:
        """The services that would notice if it went away."""
        return _unique(self.uses)

    @property
    def clusters(self) -> list[Cluster]:
        """The clusters of those services."""
        return list({service.cluster_id: service.cluster for service in self.services}.values())

    @property
    def losing(self) -> list[Service]:
        """The services whose value is taken away as soon as the operator finds it gone."""
        return _unique(use for use in self.uses if use.link.when_gone != ExternalSecret.WhenGone.RETAIN)

    @property
    def keeping(self) -> list[Service]:
        """The services that keep the last value, and nothing new."""
        losing = {service.pk for service in self.losing}
        return [service for service in self.services if service.pk not in losing]


def _unique(uses: Iterable[Use]) -> list[Service]:
    return list({service.pk: service for use in uses for service in use.services}.values())


def of(
    organization: Organization,
    access: Access,
    name: str,
    entry: InventoryEntry | None,
    authority: Authority,
) -> Map:
    """Return who uses the secret that an access knows as `name`, as far as one may see, by at most seven queries."""
    links = _candidates(organization, authority, name, entry)
    same = _listing_it(organization, entry)
    homes = _homes({access.pk: access} | {link.access_id: link.access for link in links})
    home = homes[access.pk]
    seen = Access.objects.filter(pk__in=same).inside(authority, Permission.SECRET_BROWSE)
    found = Map(accesses=list(seen.select_related("cluster").defer(*_SEALED)))
    chosen: list[tuple[ExternalSecret, bool]] = []
    for link in links:
        if not _takes(link, name, entry):
            continue
        verdict = _is_same(link, access, name, home, homes, same)
        if verdict is not False:
            chosen.append((link, verdict is True))
    services = _services([link for link, _ in chosen])
    branches: dict[uuid.UUID, Branch] = {}
    for link, sure in chosen:
        use = Use(link, services[link.pk], sure)
        if sure:
            branches.setdefault(link.cluster_id, Branch(link.cluster)).uses.append(use)
        else:
            found.unsure.append(use)
    found.branches = list(branches.values())
    return found


# Nobody decrypts credentials for a map.
_SEALED = ("credential", "cluster__kubeconfig")


def _candidates(
    organization: Organization, authority: Authority, name: str, entry: InventoryEntry | None
) -> list[ExternalSecret]:
    keys = {name, *(browsing_uses.references_of(entry) if entry else ())}
    owned = ExternalSecret.objects.within(organization, authority, Permission.EXTERNAL_SECRET_VIEW)
    related = ("cluster", "service__cluster", "access", "variant", "alias_of")
    sealed = ("cluster__kubeconfig", "service__cluster__kubeconfig", "access__credential")
    order = ("cluster__name", "namespace", "service__name", "variable", "path", "pk")
    owned = owned.filter(Q(key__in=keys) | Q(takes__in=_MANY))
    return list(owned.select_related(*related).defer(*sealed).order_by(*order))


def _takes(link: ExternalSecret, name: str, entry: InventoryEntry | None) -> bool:
    if link.takes not in _MANY:
        return True
    there = entry or InventoryEntry(name=name)
    return browsing_uses.yields(link.access.provider, link.takes, link.key, link.tags, there)


def _listing_it(organization: Organization, entry: InventoryEntry | None) -> set[uuid.UUID]:
    """Return the accesses whose inventory has the same secret: the same reference."""
    if entry is None or not browsing_uses.is_reference(entry.reference):
        return set() if entry is None else {entry.access_id}
    same = InventoryEntry.objects.filter(
        organization=organization, name=entry.name, reference=entry.reference
    )
    return set(same.values_list("access_id", flat=True))


def _is_same(
    link: ExternalSecret,
    access: Access,
    name: str,
    home: Home,
    homes: dict[uuid.UUID, Home],
    same: set[uuid.UUID],
) -> bool | None:
    """Tell whether a link leads to the secret; None when nothing tells."""
    if browsing_uses.is_reference(link.key) and link.takes not in _MANY:
        # A reference names its account and region itself.
        return True
    moved = link.variant is not None and bool(link.variant.region or link.variant.role_arn)
    if not moved and (link.access_id == access.pk or link.access_id in same):
        return True
    return _with(homes[link.access_id], link.variant).is_same(home)


def _with(home: Home, variant: StoreVariant | None) -> Home:
    """Return the home that a variant leads to."""
    if variant is None:
        return home
    place = (variant.region, *home.place[1:]) if variant.region else home.place
    account = variant.role_arn.split(":")[4] if variant.role_arn.count(":") > 4 else home.account
    return Home(home.provider, place, account)


def _homes(accesses: dict[uuid.UUID, Access]) -> dict[uuid.UUID, Home]:
    """Return where each access's names live; one name of each inventory tells its account."""
    listed = InventoryEntry.objects.filter(access_id__in=accesses).order_by("access_id", "name")
    references = (
        dict(listed.distinct("access_id").values_list("access_id", "reference")) if len(accesses) > 1 else {}
    )
    return {pk: _home(access, references.get(pk, "")) for pk, access in accesses.items()}


def _home(access: Access, reference: str) -> Home:
    configuration = access.configuration
    place = tuple(str(configuration.get(name, "")) for name in _PLACE)
    role = str(configuration.get("role_arn", ""))
    if reference.startswith("arn:") and reference.count(":") > 4:
        account = reference.split(":")[4]
    elif role.count(":") > 4:
        account = role.split(":")[4]
    elif configuration.get("project"):
        account = str(configuration["project"])
    else:
        account = access.cluster.account if access.method == "automatic" else ""
    return Home(access.provider, place, account)


def _services(links: list[ExternalSecret]) -> dict[uuid.UUID, list[Service]]:
    """Return the services that get each link's value: its own, or those of the namespace without a narrower link."""
    wide = [link for link in links if link.service_id is None]
    where = Q(pk__in=[])
    for link in wide:
        where |= Q(cluster=link.cluster_id, namespace=link.namespace)
    around = (
        Service.objects.filter(where, gone_at=None).select_related("cluster").defer("cluster__kubeconfig")
    )
    services = list(around.order_by("name")) if wide else []
    narrower = set(_narrower(where)) if wide else set()
    return {
        link.pk: [link.service]
        if link.service is not None
        else [
            service
            for service in services
            if (service.cluster_id, service.namespace) == (link.cluster_id, link.namespace)
            and (service.pk, link.container, link.variable, link.path) not in narrower
        ]
        for link in links
    }


def _narrower(where: Q) -> Iterable[tuple[uuid.UUID, str, str, str]]:
    """Return what services have of their own, which wins over what their namespace has."""
    own = ExternalSecret.objects.filter(where, service__isnull=False)
    return own.values_list("service_id", "container", "variable", "path")
