"""A cluster, its configuration, and workers that can be killed at any point."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accesses import variants
from accesses.models import Access, OperatorState
from clusters import deploys, helm, kubeconfig
from clusters import services as clusters
from clusters.models import Cluster, ConnectDraft, Deploy, Service
from external_secrets.models import ExternalSecret
from sandbox import world as the_sandbox
from tests import factories

IGNORED = ("Event", "Lease")


def database_url() -> str:
    settings = connection.settings_dict
    return f"postgresql://{settings['USER']}:@/{settings['NAME']}?host={settings['HOST']}"


class Zygote:
    """The other end of tests/survival/zygote.py."""

    def __init__(self, project: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.survival.zygote"], cwd=project, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def run(self, **order: Any) -> list[dict[str, Any]]:
        """Fork workers and return how each ended."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return list(self._answer())

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.stdout
        self.process.stdout.close()
        self.process.wait(timeout=20)


class World:
    """The sandbox cluster and the rows that configure it, which can be put back to the beginning."""

    def __init__(self, kube: Any, reconciler: Any, cluster: Cluster, by: Any) -> None:
        self.kube, self.reconciler, self.cluster, self.by = kube, reconciler, cluster, by
        self.beginning: tuple[Any, ...] = ()

    def remember(self) -> None:
        store = self.kube.store
        with store.lock:
            self.beginning = (
                copy.deepcopy(store.objects), copy.deepcopy(store.owners), dict(store.resources),
            )  # fmt: skip

    def reset(self) -> None:
        """Put the cluster and the rows back to where they were before any deploy."""
        store = self.kube.store
        self.kube.faults.clear()
        with store.lock:
            objects, owners, resources = self.beginning
            store.objects, store.owners = copy.deepcopy(objects), copy.deepcopy(owners)
            store.resources = dict(resources)
            store.revision += 1
            self.reconciler._due.clear()
        self.kube.requests.clear()
        Deploy.objects.all().delete()
        # The operator is proved anew, too.
        OperatorState.objects.all().delete()
        self.cluster.accesses.update(verified_at=None, validated=None, accepted_at=None)
        ExternalSecret.objects.update(status=ExternalSecret.Status.NEVER)
        Cluster.objects.filter(pk=self.cluster.pk).update(
            deployed_generation=None, generation=1, operator_version=""
        )

    def ask(self) -> Deploy:
        return deploys.request(cluster=self.cluster, by=self.by)

    def objects(self) -> dict[str, Any]:
        """Return what is in the cluster, without what no two runs have alike."""
        found = {}
        store = self.kube.store
        with store.lock:
            for key, manifest in copy.deepcopy(store.objects).items():
                if manifest.get("kind") in IGNORED or key[1] in ("events", "leases"):
                    continue
                metadata = manifest["metadata"]
                for name in ("uid", "resourceVersion", "creationTimestamp", "generation"):
                    metadata.pop(name, None)
                for one in metadata.get("ownerReferences") or []:
                    one.pop("uid", None)
                # How often the operator was asked to look is not what the cluster is brought to.
                (metadata.get("annotations") or {}).pop("force-sync", None)
                if not metadata.get("annotations"):
                    metadata.pop("annotations", None)
                manifest.pop("status", None)
                owners = sorted(
                    (o.manager, o.operation, sorted(map(str, o.owned)))
                    for o in store.owners.get(key, [])
                    if o.manager == "keyhaven" and o.operation == "Apply"
                )
                found["/".join(key)] = [manifest, owners]
        return found


@pytest.fixture
def environment(aws_endpoint: str, project: Path) -> dict[str, str]:
    chart = str(project / "sandbox" / "chart" / "external-secrets")
    return os.environ | {
        "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings", "OPERATOR_CHART": chart,
        "SYNC_TIMEOUT": "15", "LEASE_SECONDS": "5", "CLUSTER_TIMEOUT": "2", "AWS_ENDPOINT_URL": aws_endpoint,
        "PYTHONPATH": f"{project}:{project / 'secrets'}", "LOG_LEVEL": "ERROR",
    }  # fmt: skip


@pytest.fixture
def zygote(environment: dict[str, str], project: Path) -> Iterator[Zygote]:
    running = Zygote(project, environment)
    yield running
    running.stop()


@pytest.fixture
def bare(sandbox_cloud: Any, organization: Any, devops: Any) -> Iterator[World]:
    """Two accesses and a dozen links on three kinds of workloads; no operator yet."""
    from sandbox.kubernetes import Cluster as Sandbox
    from sandbox.reconciler import Reconciler

    with Sandbox() as kube:
        kube.load(list(the_sandbox.manifests()))
        reconciler = Reconciler(kube, sandbox_cloud.url)
        reconciler.start()
        text = kubeconfig.reduce(kube.kubeconfig())
        draft = ConnectDraft.objects.create(organization=organization, by=devops, kubeconfig=text)
        cluster = clusters.connect(draft=draft, name="prod", by=devops)
        configure(cluster, sandbox_cloud.keys["reader"])
        found = World(kube, reconciler, cluster, devops)
        found.remember()
        yield found
        reconciler.stop()


@pytest.fixture
def world(bare: World, project: Path) -> World:
    """The same, with the operator there already."""
    install(bare, project)
    return bare


def install(world: World, project: Path) -> None:
    from accesses import chart

    helm.install_or_upgrade(
        world.cluster.kubeconfig, release="external-secrets", namespace="external-secrets", version="2.9.0",
        chart=str(project / "sandbox" / "chart" / "external-secrets"), values=chart.values(), timeout=60,
    )  # fmt: skip
    world.remember()


def configure(cluster: Cluster, keys: tuple[str, str]) -> None:
    credential = {"access_key_id": keys[0], "secret_access_key": keys[1]}
    accesses = [
        factories.make_access(
            cluster=cluster, name=name, credential=credential, namespaces=["shop", "billing", "default"]
        )
        for name in ("aws", "aws-two")
    ]
    names = _names(12)
    workloads = list(cluster.services.order_by("kind", "name"))
    for number, key in enumerate(names):
        service = workloads[number % len(workloads)]
        access = accesses[number % 2]
        if service.namespace not in access.namespaces:
            access.namespaces = [*access.namespaces, service.namespace]
            access.save()
        factories.make_link(
            service=service, access=access, key=key, variable=f"VARIABLE_{number}",
            container=service.container_names[0],
        )  # fmt: skip
    _more(accesses[0], {f"{one.namespace}/{one.name}": one for one in workloads}, names)


def _more(access: Access, services: dict[str, Service], names: list[str]) -> None:
    """Link files, a whole namespace, another region, another name for the same and one that restarts its service."""
    here = {"access": access, "service": services["shop/api"], "container": "web"}
    file = {"target": "file", "variable": ""}
    mine = factories.make_link(key=names[0], **here | file | {"path": "/vault/secrets/one"})
    factories.make_link(key=names[1], **here | file | {"path": "/opt/shop/two", "mount": "file"})
    factories.make_link(
        key=names[2], **here | {"variable": "THREE_FILE", "target": "both", "path": "/vault/secrets/three"}
    )
    factories.make_link(key=names[0], variable="ALIAS", alias_of=mine, **here)
    factories.make_link(key=names[3], variable="RESTARTS", restart_on_change=True, **here)
    wide = {"access": access, "service": None, "namespace": "shop", "container": ""}
    factories.make_link(key=names[4], variable="EVERYWHERE", **wide)
    below = {"takes": "path", "key": "prod/"}
    factories.make_link(**here | file | below | {"path": "/vault/all"})
    factories.make_link(variable="ALL_", **here | below)
    variant = variants.use(access, region=the_sandbox.REGIONS[1])
    factories.make_link(key="prod/db-password", variable="ELSEWHERE", variant=variant, **here)


def _names(count: int) -> list[str]:

    return list(the_sandbox.names(300))[:count]
