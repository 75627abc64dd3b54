"""What others made in a cluster, read live: stores, external secrets, and who uses their Secrets."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from clusters import kubernetes
from clusters.kubernetes.workloads import KINDS, SYSTEM
from clusters.models import Cluster
from external_secrets import manifests
from external_secrets.exchange import losses, plain, planning, reading, stores, uses
from external_secrets.exchange.reading import Foreign, StoreKey
from external_secrets.exchange.stores import Store
from external_secrets.exchange.uses import Use

OLD = "external-secrets.io/v1beta1"
STORES = ("ClusterSecretStore", "SecretStore")
EXTERNALS = ("ExternalSecret", "ClusterExternalSecret", "PushSecret")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What could not be read, and what to do about it; `tone` as a note's."""

    title: str
    text: str
    tone: str = "warn"


@dataclass(frozen=True, slots=True)
class Group:
    """What cannot be taken over as such and is only told of: a ClusterExternalSecret or a PushSecret."""

    kind: str
    namespace: str
    name: str
    manager: str
    text: str


@dataclass(slots=True)
class Found:
    """What others made, and what kept us from seeing more of it."""

    externals: list[Foreign] = field(default_factory=list)
    stores: dict[StoreKey, Store] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    uses: dict[tuple[str, str], list[Use]] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    # The operator serves only what the deploys of Keyhaven do not write.
    is_old: bool = False

    def uses_of(self, one: Foreign) -> list[Use]:
        return self.uses.get((one.namespace, one.secret), [])

    def sources(self, wanted: list[str]) -> planning.Sources:
        """Return the external secrets of these ids, ready to be planned."""
        chosen = set(wanted)
        return planning.Sources([one for one in self.externals if one.id in chosen], self.stores, self.uses)


def look(cluster: Cluster) -> Found:
    """Read what others made; what may not be read or is not there is told in `troubles`.

    :raises kubernetes.ClusterError: the cluster does not answer
    """
    door = kubernetes.connect(cluster)
    wanted = [
        *((manifests.API, kind) for kind in (*STORES, *EXTERNALS[:2])),
        ("external-secrets.io/v1alpha1", "PushSecret"),
    ]
    wanted += KINDS
    with ThreadPoolExecutor(len(wanted), thread_name_prefix="found") as pool:
        answers = dict(zip(wanted, pool.map(lambda one: _listed(door, *one), wanted), strict=True))
    found = Found()
    _tell(found, answers)
    objects = [item for (_, kind), (items, _) in answers.items() for item in items if kind not in _WORKLOADS]
    _sort(found, [item for item in objects if not _is_ours(item, cluster)], _accounts(door, objects))
    workloads = [item for (_, kind), (items, _) in answers.items() for item in items if kind in _WORKLOADS]
    found.uses = uses.index(
        item for item in workloads if plain.mapping(item.get("metadata")).get("namespace") not in SYSTEM
    )
    return found


_WORKLOADS = frozenset(kind for _, kind in KINDS)
type _Answer = tuple[list[dict[str, Any]], str]


def _listed(door: kubernetes.Door, api_version: str, kind: str) -> _Answer:
    """Return the objects of a kind, and what kept us from them: `forbidden`, `missing`, `old`, or nothing."""
    try:
        return door.list_all(api_version, kind), ""
    except kubernetes.Forbidden:
        return [], "forbidden"
    except kubernetes.KindMissing:
        if api_version != manifests.API:
            return [], "missing"
    try:
        return door.list_all(OLD, kind), "old"
    except (kubernetes.KindMissing, kubernetes.Forbidden):
        return [], "missing"


def _tell(found: Found, answers: dict[tuple[str, str], _Answer]) -> None:
    forbidden = [f"{kind}s" for (_, kind), (_, why) in answers.items() if why == "forbidden"]
    whys = {kind: why for (_, kind), (_, why) in answers.items()}
    if forbidden:
        found.troubles.append(
            Trouble(
                f"Not allowed to list {', '.join(forbidden)}",
                "What of them is in the cluster is not shown. Grant the console's identity the verb list on them.",
            )
        )
    found.is_old = "old" in whys.values()
    if found.is_old:
        found.troubles.append(
            Trouble(
                "The operator serves only v1beta1",
                "What is there is shown. Upgrade the operator to 0.17 or later before you take anything over: "
                "Keyhaven writes external-secrets.io/v1.",
            )
        )
    missing = [kind for kind in (*STORES, "ExternalSecret") if whys[kind] == "missing"]
    if missing:
        text = "There is no External Secrets Operator in this cluster, or a part of it: a deploy installs it."
        found.troubles.append(Trouble(f"The cluster has no {', no '.join(missing)}", text, "info"))


def _is_ours(item: dict[str, Any], cluster: Cluster) -> bool:
    labels = plain.mapping(plain.mapping(item.get("metadata")).get("labels"))
    return labels.get(manifests.MANAGED_BY) == manifests.US and labels.get(manifests.CLUSTER) == str(
        cluster.pk
    )


def _accounts(door: kubernetes.Door, objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the ServiceAccounts that AWS stores sign in by: their role stands there. At most twenty are asked for."""
    names = sorted({key for item in objects if item["kind"] in STORES if (key := stores.account_of(item))})[
        :20
    ]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for namespace, name in names:
        try:
            account = door.get("v1", "ServiceAccount", name, namespace)
        except kubernetes.ClusterError:
            continue
        if account is not None:
            found[namespace, name] = account
    return found


def _sort(found: Found, items: list[dict[str, Any]], accounts: dict[tuple[str, str], dict[str, Any]]) -> None:
    for item in items:
        if item["kind"] in STORES:
            store = stores.read(item, accounts)
            found.stores[store.key] = store
        elif item["kind"] == "ExternalSecret":
            found.externals.append(reading.external_secret(item))
        else:
            found.groups.append(_group(item))
    found.externals.sort(key=lambda one: (one.namespace, one.name))
    found.groups.sort(key=lambda one: (one.kind, one.namespace, one.name))


def _group(item: dict[str, Any]) -> Group:
    metadata = plain.mapping(item.get("metadata"))
    text = "It makes an ExternalSecret in several namespaces; take these over one by one."
    if item["kind"] == "PushSecret":
        text = "It writes to a secret manager, which a link does not; it stays as it is."
    namespace, name = (plain.text(metadata.get(word), 253) for word in ("namespace", "name"))
    return Group(item["kind"], namespace, name, losses.manager(metadata), text)
