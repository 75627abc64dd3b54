"""`make bench`: what matters for speed, each as a ratio to a floor that is measured in the same run.

Medians of many runs, on this machine's embedded engines. Milliseconds differ between machines; the ratios say
whether the product's own part has grown.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from tests import bench_imports

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

NAMES = 100_000


def median(act: Callable[[], Any], runs: int) -> float:
    """Return the median milliseconds of `runs` calls after three that warm up."""
    for _ in range(3):
        act()
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        act()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def show(
    what: str, act: Callable[[], Any], floor_name: str, floor: Callable[[], Any], runs: int = 60
) -> None:
    """Print one line: the thing, its floor, and the ratio of their medians."""
    mine, least = median(act, runs), median(floor, runs)
    print(f"{what:<44} {mine:8.2f} ms   {mine / least:6.1f} x {floor_name} ({least:.2f} ms)", flush=True)


def fill() -> Any:
    """Return an access with a hundred thousand names."""
    from external_secrets.models import InventoryEntry, InventoryState
    from tests import factories

    organization = factories.make_organization(name="Acme", slug="acme")
    cluster = factories.make_cluster(organization=organization, name="prod")
    access = factories.make_access(cluster=cluster, name="aws")
    rows = (
        InventoryEntry(
            access=access,
            organization=organization,
            name=f"prod/team-{n % 400:03d}/service-{n % 37:02d}/key-{n:06d}",
            reference=f"arn:{n}",
        )
        for n in range(NAMES)
    )
    InventoryEntry.objects.bulk_create(rows, batch_size=5000)
    from django.utils import timezone

    InventoryState.objects.create(access=access, read_at=timezone.now(), entries=NAMES)
    settled()
    return access


def settled() -> None:
    """Do at once what the database does by itself within a minute after so many new rows."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) external_secrets_inventoryentry")


def names(access: Any) -> None:
    from django.db import connection

    from external_secrets import browsing, browsing_folders
    from external_secrets.browsing_search import Scope, Search

    def one_row() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()

    one, every = Scope(access.cluster.organization_id, (access.pk,)), Scope(access.cluster.organization_id)
    below, anywhere = Search.of("prod/team-123/"), Search.of("TEAM-123/", contains=True)
    nowhere, tagged = Search.of("nowhere", contains=True), Search.of("tag:stage=none")
    deep = browsing.page(one, Search()).after

    def by_prefix() -> Any:
        return browsing.page(one, below)

    show("50 names below a prefix, of 100,000", by_prefix, "SELECT 1", one_row)
    show("the same of every access", lambda: browsing.page(every, below), "SELECT 1", one_row)
    show("the next 50 after a name", lambda: browsing.page(one, Search(), deep), "SELECT 1", one_row)
    show("folders below a prefix", lambda: browsing_folders.folders(one, below.text), "SELECT 1", one_row)
    show("400 folders, counted", lambda: browsing_folders.folders(one, "prod/"), "SELECT 1", one_row)
    show("50 names that contain a text", lambda: browsing.page(one, anywhere), "by prefix", by_prefix, 20)
    show("a text that no name contains", lambda: browsing.page(every, nowhere), "by prefix", by_prefix, 20)
    show("a tag that no name has", lambda: browsing.page(every, tagged), "by prefix", by_prefix, 20)


def pages(access: Any) -> None:
    from django.test import Client

    from tests import factories

    client = Client()
    client.force_login(factories.make_member(access.cluster.organization, "owner"))

    def get(path: str) -> Callable[[], Any]:
        return lambda: client.get(path)

    search = f"/o/acme/secrets/?access={access.pk}&q=prod/team-1"
    part = {"HX-Request": "true"}
    show("the list of clusters", get("/o/acme/clusters/"), "login page", get("/accounts/login/"))
    show("the page of names", get(search), "login page", get("/accounts/login/"), 30)
    show(
        "the same as htmx asks for it",
        lambda: client.get(search, headers=part),
        "login page",
        get("/accounts/login/"),
        30,
    )
    show("the audit log", get("/o/acme/audit/"), "login page", get("/accounts/login/"))


def audit(access: Any) -> None:
    from accounts.audit import services
    from accounts.models import Membership, User

    organization = access.cluster.organization
    by = User.objects.filter(memberships__organization=organization).first()

    def record() -> None:
        services.record(organization=organization, by=by, action="bench.done", target=access)

    show(
        "one audit event, chained",
        record,
        "one plain row",
        lambda: Membership.objects.filter(user=by).update(roles=["owner"]),
    )
    show("checking a chain of 200 events", lambda: services.verify(organization), "one event", record, 10)


def cluster() -> None:
    from clusters import kubeconfig, kubernetes
    from sandbox import world
    from sandbox.kubernetes import Cluster

    with Cluster() as running:
        running.load(list(world.manifests()))
        door = kubernetes.connect_text(kubeconfig.reduce(running.kubeconfig()))
        metadata = {"name": "bench", "namespace": "shop"}
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}}
        show("applying what is there already", lambda: door.apply(manifest), "GET /version", door.version)
        show("discovering six services", door.workloads, "GET /version", door.version)


def main() -> None:
    import django

    django.setup()
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    from tests import (
        bench_audit,
        bench_browse,
        bench_credentials,
        bench_deploys,
        bench_flood,
        bench_inventory,
    )

    setup_test_environment()
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        alone = sys.argv[1:]
        if not alone:
            access = fill()
            names(access)
            pages(access)
            audit(access)
            cluster()
            bench_imports.main()
        if not alone or "browse" in alone:
            bench_browse.main()
        if not alone or "inventory" in alone:
            bench_inventory.main()
        if not alone or "audit" in alone:
            bench_audit.main()
        if not alone or "credentials" in alone:
            bench_credentials.main()
        if not alone or "flood" in alone:
            bench_flood.main()
        if not alone or "deploys" in alone or "kubectl" in alone:
            bench_deploys.main()
    finally:
        teardown_databases(databases, verbosity=0)


if __name__ == "__main__":
    # Which needs no database.
    bench_imports.main() if sys.argv[1:] == ["imports"] else main()
