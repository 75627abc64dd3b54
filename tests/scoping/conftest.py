"""Two clusters of three namespaces, with accesses, names and links; and people whose roles reach a part of it.

What is outside is called by a word that nothing inside has: `zcluster`, `znamespace`, `zname`.
"""

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import CustomRole, Membership, User
from accounts.roles import OF_A_CLUSTER, OF_A_NAMESPACE
from clusters.models import Deploy, Look
from external_secrets.models import ExternalSecret, InventoryState
from tests import factories

INSIDE = ("prod/shop/db", "prod/shop/api/key", "prod/shop/api/token")
OUTSIDE = ("prod/zname-db", "zname/one", "prod/shopzname", "prod/web/zname", "zname")
_number = itertools.count(1)


@dataclass
class Place:
    """A cluster, and what is there by namespace."""

    cluster: Any
    accesses: dict[str, Any] = field(default_factory=dict)
    services: dict[str, Any] = field(default_factory=dict)
    links: dict[str, list[Any]] = field(default_factory=dict)


@dataclass
class Ground:
    """The organization with its two clusters."""

    organization: Any
    staging: Place
    other: Place

    @property
    def words(self) -> dict[str, int]:
        """How many rows there are of everything that somebody could change."""
        return {
            model.__name__: hash(tuple(sorted(map(str, model.objects.values_list()))))
            for model in (ExternalSecret, InventoryState, Deploy)
        }


def _fill(place: Place, namespace: str, word: str, access: Any) -> None:
    service = factories.make_service(
        cluster=place.cluster,
        namespace=namespace,
        name=f"{word}-api",
        containers=[
            {
                "name": "web",
                "image": "shop/api:1",
                "env": [{"name": "TAKEN", "source": f"secret {word}-all-0a1b2c3d/{word}"}],
                "env_from": [f"secret {word}-from"],
                "mounts": [{"path": "/etc/x", "source": f"secret {word}-mounted"}],
            }
        ],
    )
    place.services[namespace] = service
    place.links[namespace] = [
        factories.make_link(service=service, access=access, key=f"prod/shop/{word}", status="failed")
    ]
    place.links[namespace].append(
        factories.make_link(
            service=None, cluster=place.cluster, access=access, namespace=namespace, container="",
            variable="", takes="keys", key=f"prod/shop/all-{word}",
        )
    )  # fmt: skip


def _read(access: Any, names: tuple[str, ...]) -> None:
    for name in names:
        factories.make_entry(access, name, tags={"team": name.replace("/", "-")}, description=f"of {name}")
    now = timezone.now()
    InventoryState.objects.create(access=access, entries=len(names), read_at=now, tried_at=now)


def _look(cluster: Any, word: str) -> None:
    facts = {"kind": "ExternalSecret", "namespace": word, "name": f"{word}-object", "action": "change"}
    facts |= {"fields": [], "conflicts": [], "problem": "", "causes": ["cluster"], "step": "apply"}
    Look.objects.create(cluster=cluster, at=timezone.now(), changes=[facts | {"deployed": {}}])


@pytest.fixture
def ground(organization: Any) -> Ground:
    staging = Place(factories.make_cluster(organization=organization, name="staging", deployed_generation=1))
    other = Place(
        factories.make_cluster(organization=organization, name="zcluster", server="https://zcluster:6443")
    )
    mixed = factories.make_access(cluster=staging.cluster, name="mixed", namespaces=["shop", "znamespace"])
    apart = factories.make_access(cluster=staging.cluster, name="znamespace-only", namespaces=["znamespace"])
    second = factories.make_access(cluster=staging.cluster, name="second", namespaces=["shop"])
    far = factories.make_access(cluster=other.cluster, name="zcluster-aws", namespaces=["shop", "web"])
    staging.accesses = {"mixed": mixed, "apart": apart, "second": second}
    other.accesses = {"far": far}
    _fill(staging, "shop", "inside", mixed)
    _fill(staging, "znamespace", "znamespace", mixed)
    _fill(staging, "znamespace-2", "znamespace2", apart)
    for namespace in ("shop", "web", "ops"):
        _fill(other, namespace, f"zcluster-{namespace}", far)
    _of_names(staging, mixed)
    _read(mixed, (*INSIDE, *OUTSIDE))
    _read(second, INSIDE[:1])
    _read(apart, ("prod/shop/znamespace", "znamespace/one"))
    _read(far, ("prod/shop/zcluster", "zcluster/one"))
    for place, word in ((staging, "znamespace"), (other, "zcluster")):
        _look(place.cluster, word)
        Deploy.objects.create(
            cluster=place.cluster, number=1, by_name="x", reason=word, status="failed",
            finished_at=timezone.now(), error=word,
        )  # fmt: skip
    factories.make_cloud_credential(organization=organization, name="zcluster-credential")
    return Ground(organization, staging, other)


def _of_names(place: Place, access: Any) -> None:
    """Links in the namespace inside that take names outside, by each way of taking."""
    service = place.services["shop"]
    for takes, key in (("value", "prod/zname-db"), ("keys", "zname/gone"), ("path", "zname/")):
        link = factories.make_link(
            service=service, access=access, takes=takes, key=key, variable=f"V{next(_number)}",
            seen_keys=["zname_key"], status_reason="zname said so", status="failed",
        )  # fmt: skip
        place.links.setdefault("names", []).append(link)
    place.links["names"].append(
        factories.make_link(
            service=service, access=access, takes="tags", key="", tags={"zname": "x"}, variable="T_"
        )
    )


ROLES: dict[str, list[dict[str, Any]]] = {
    "cluster": [{"clusters": ["stag*"]}],
    "namespace": [{"clusters": ["staging"], "namespaces": ["sh*"]}],
    "names": [{"clusters": ["staging"], "prefixes": ["prod/shop/"]}],
    "all three": [{"clusters": ["staging"], "namespaces": ["shop"], "prefixes": ["prod/shop/"]}],
    "two at once": [
        {"clusters": ["staging"], "namespaces": ["shop"], "prefixes": ["prod/shop/d"]},
        {"clusters": ["staging"], "namespaces": ["shop", "nowhere"], "prefixes": ["prod/shop/"]},
    ],
}
# What nobody of that role may ever read.
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "cluster": ("zcluster",),
    "namespace": ("zcluster", "znamespace"),
    "names": ("zcluster", "zname/", "zname-", "zname_", "shopzname", "web/zname", "zname said"),
    "all three": ("zcluster", "zname"),
    "two at once": ("zcluster", "zname"),
}


def make_limited(organization: Any, *limits: dict[str, Any], permissions: Any = None) -> User:
    """Make a member with a role of its own for each of the limits."""
    user = factories.make_user(name="Limited")
    membership = Membership.objects.create(organization=organization, user=user, roles=[])
    for limit in limits:
        narrow = limit.get("namespaces") or limit.get("prefixes")
        held = permissions or (OF_A_NAMESPACE if narrow else OF_A_CLUSTER)
        role = CustomRole.objects.create(
            organization=organization, name=f"Role {next(_number)}", permissions=sorted(held), **limit
        )
        membership.custom_roles.add(role)
    return user


@pytest.fixture(params=sorted(ROLES))
def limited(request: Any, ground: Ground) -> tuple[str, User]:
    return request.param, make_limited(ground.organization, *ROLES[request.param])
