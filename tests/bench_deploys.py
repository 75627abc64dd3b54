"""The part of `make bench` about deploys: against kubectl on the same objects, and a hundred clusters at once.

The API servers live in this process; workers and kubectl are processes of their own, so that both wait for the same.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

STORES, LINKS, CLUSTERS, WORKERS = 5, 100, 100, 4
ROOT = Path(__file__).resolve().parent.parent
CHART = str(ROOT / "sandbox" / "chart" / "external-secrets")


@contextlib.contextmanager
def worker(aws_url: str) -> Iterator[Any]:
    from tests.survival.conftest import Zygote, database_url

    running = Zygote(
        ROOT,
        os.environ
        | {
            "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings", "OPERATOR_CHART": CHART,
            "AWS_ENDPOINT_URL": aws_url, "PYTHONPATH": f"{ROOT}:{ROOT / 'secrets'}", "LOG_LEVEL": "ERROR",
        },
    )  # fmt: skip
    try:
        yield running
    finally:
        running.stop()


def operated(kube: Any) -> None:
    """Put the operator into a sandbox cluster, as Helm would."""
    from accesses import chart
    from clusters import helm, kubeconfig

    helm.install_or_upgrade(
        kubeconfig.reduce(kube.kubeconfig()), release="external-secrets", namespace="external-secrets",
        version="2.9.0", chart=CHART, values=chart.values(), timeout=60,
    )  # fmt: skip


def connected(organization: Any, by: Any, kube: Any, name: str) -> Any:
    from clusters import kubeconfig, services
    from clusters.models import ConnectDraft

    text = kubeconfig.reduce(kube.kubeconfig())
    draft = ConnectDraft.objects.create(organization=organization, by=by, kubeconfig=text)
    return services.connect(draft=draft, name=name, by=by)


def configure(cluster: Any, keys: tuple[str, str], stores: int, links: int) -> None:
    from sandbox import world
    from tests import factories

    credential = {"access_key_id": keys[0], "secret_access_key": keys[1]}
    workloads = [one for one in cluster.services.order_by("name") if one.namespace != "external-secrets"]
    spaces = sorted({one.namespace for one in workloads})
    accesses = [
        factories.make_access(cluster=cluster, name=f"aws-{n}", credential=credential, namespaces=spaces)
        for n in range(stores)
    ]
    for number, key in enumerate(list(world.names(300))[:links]):
        service = workloads[number % len(workloads)]
        factories.make_link(
            service=service, access=accesses[number % stores], key=key, variable=f"VARIABLE_{number}",
            container=service.container_names[0],
        )  # fmt: skip


def manifests(cluster: Any) -> str:
    """Return everything that a deploy applies, credentials included, as kubectl takes it."""
    from accesses import manifests as stores
    from clusters import addons

    found = [
        one
        for access in cluster.accesses.all()
        for one in (stores.secret(access), stores.store(access))
        if one
    ]
    found += [one for one in addons.snapshot(cluster) if one["kind"] not in ("Secret", "ClusterSecretStore")]
    return str(yaml.safe_dump_all(found))


class Kubectl:
    """Plain kubectl on a sandbox cluster; each command returns its seconds."""

    def __init__(self, kube: Any, text: str, folder: Path) -> None:
        self.folder, self.objects = folder, folder / "objects.yaml"
        (folder / "config").write_text(kube.kubeconfig())
        self.objects.write_text(text)

    def _run(self, *words: str) -> float:
        began = time.perf_counter()
        subprocess.run(
            ["kubectl", "--kubeconfig", self.folder / "config", *words], check=True, capture_output=True, timeout=300,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
        )  # fmt: skip
        return time.perf_counter() - began

    def apply(self) -> float:
        return self._run("apply", "--server-side", "-f", str(self.objects))

    def wait(self) -> float:
        return self._run(
            "wait",
            "--for=condition=Ready",
            "clustersecretstores,externalsecrets",
            "--all",
            "-A",
            "--timeout=120s",
        )


def deploy(cluster: Any, by: Any, zygote: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """Run a deploy and return what the worker said, and the seconds of each step."""
    from clusters import deploys

    made = deploys.request(cluster=cluster, by=by)
    (end,) = zygote.run()
    made.refresh_from_db()
    assert made.status == "succeeded", [line.message for line in made.lines.all()]
    steps = {step.slug: (step.finished_at - step.started_at).total_seconds() for step in made.steps.all()}
    return end["said"], steps


def is_write(request: tuple[str, str, int]) -> bool:
    reads = "reviews" in request[1] or "dryRun=All" in request[1]
    return request[0] in ("POST", "PUT", "PATCH", "DELETE") and not reads


def against_kubectl(cloud: Any) -> None:
    """Print the time and the requests of a first and a second deploy beside kubectl's."""
    from sandbox import world
    from sandbox.kubernetes import Cluster
    from sandbox.reconciler import Reconciler
    from tests import factories

    organization = factories.make_organization(name="Bench", slug="bench")
    by = factories.make_member(organization, "owner")
    with (
        Cluster() as ours, Cluster() as theirs, worker(cloud.url) as zygote, tempfile.TemporaryDirectory() as folder,
    ):  # fmt: skip
        reconcilers = [Reconciler(kube, cloud.url) for kube in (ours, theirs)]
        for kube, reconciler in zip((ours, theirs), reconcilers, strict=True):
            kube.load(list(world.manifests()))
            operated(kube)
            reconciler.start()
        cluster = connected(organization, by, ours, "bench")
        # Once without anything to apply: the operator is proved, and what loads late is loaded.
        deploy(cluster, by, zygote)
        configure(cluster, cloud.keys["reader"], STORES, LINKS)
        text = manifests(cluster)
        ours.requests.clear()
        said, steps = deploy(cluster, by, zygote)
        requests = len(ours.requests)
        peer = Kubectl(theirs, text, Path(folder))
        first = peer.apply()
        count = len(theirs.requests)
        whole = first + peer.wait()
        wrote = steps["stores"] + steps["external-secrets"]
        print(
            f"first deploy, {STORES} stores, {LINKS} external secrets  {said['seconds']:6.2f} s {requests:5d} requests"
            f"   {said['seconds'] / whole:4.2f} x kubectl apply and wait ({whole:.2f} s)"
        )
        print(
            f"  of it writing stores and external secrets     {wrote:6.2f} s"
            f"   {wrote / first:15.2f} x kubectl apply --server-side ({first:.2f} s, {count} requests)"
        )
        print("  by step: " + ", ".join(f"{slug} {seconds:.2f} s" for slug, seconds in steps.items()))
        again, kubectls = [], []
        for _ in range(3):
            ours.requests.clear()
            theirs.requests.clear()
            said, steps = deploy(cluster, by, zygote)
            again.append(said["seconds"])
            kubectls.append(peer.apply())
            writes = [entry for entry in ours.requests if is_write(entry)]
            assert writes == [], writes
        second, floor = statistics.median(again), statistics.median(kubectls)
        print(
            f"the same again, nothing changed                 {second:6.2f} s {len(ours.requests):5d} requests"
            f"   {second / floor:4.2f} x kubectl ({floor:.2f} s, {len(theirs.requests)} requests); 0 writes"
        )
        print("  by step: " + ", ".join(f"{slug} {seconds:.2f} s" for slug, seconds in steps.items()))
        print(f"memory of the worker after it                  {said['megabytes']:6.0f} MB")
        for reconciler in reconcilers:
            reconciler.stop()


def many(cloud: Any) -> None:
    """Print how a hundred clusters fare with four workers: one organization has 64 of them, nine have four each."""
    from clusters import deploys
    from clusters.models import Deploy
    from sandbox import world
    from sandbox.kubernetes import Cluster
    from sandbox.reconciler import Reconciler
    from tests import factories

    with contextlib.ExitStack() as stack:
        zygotes = stack.enter_context(worker(cloud.url))
        asked = []
        sizes = [64] + [4] * 9
        for size in sizes:
            organization = factories.make_organization()
            by = factories.make_member(organization, "owner")
            for number in range(size):
                kube = stack.enter_context(Cluster())
                kube.load(list(world.manifests()))
                reconciler = Reconciler(kube, cloud.url)
                reconciler.start()
                stack.callback(reconciler.stop)
                cluster = connected(organization, by, kube, f"cluster-{number}")
                configure(cluster, cloud.keys["reader"], 1, 3)
                asked.append(deploys.request(cluster=cluster, by=by))
        Deploy.objects.filter(pk__in=[one.pk for one in asked]).update(created_at=asked[0].created_at)
        began = time.perf_counter()
        ends = zygotes.run(workers=WORKERS, all=True)
        took = time.perf_counter() - began
        rows = list(Deploy.objects.filter(pk__in=[one.pk for one in asked]).select_related("cluster"))
        failed = [row.error for row in rows if row.status != "succeeded"]
        assert not failed, failed[:3]
        start = min(row.started_at for row in rows)
        big = asked[0].cluster.organization_id
        last = {
            "big": max((row.finished_at - start).total_seconds() for row in rows if row.cluster.organization_id == big),
            "small": max((r.finished_at - start).total_seconds() for r in rows if r.cluster.organization_id != big),
        }  # fmt: skip
        shares = sorted(end["said"]["runs"] for end in ends)
        print(
            f"{CLUSTERS} clusters, first deploy with Helm, {WORKERS} workers  {took:6.1f} s   each worker did {shares}; "
            f"nine organizations of 4 were done after {last['small']:.1f} s, the one of 64 after {last['big']:.1f} s"
        )
        print(
            f"memory of a worker after 25 deploys            {max(e['said']['megabytes'] for e in ends):6.0f} MB"
        )


def main() -> None:
    from sandbox.aws import Cloud

    with Cloud(count=300) as cloud:
        against_kubectl(cloud)
        if "kubectl" not in sys.argv:
            many(cloud)
