"""The part of `make bench` about the inventory: a hundred thousand names, behind a fast stand-in of AWS.

The stand-in and each reading are processes of their own, so that neither's work nor memory counts as the other's.
`python -m tests.bench inventory` runs it alone.
"""

import functools
import gc
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FEW, MANY = 1_000, 100_000
ROOT = Path(__file__).resolve().parent.parent
PREFIX = "prod/team-123/"


def met(budget: str, kept: bool) -> str:
    return f"   [{'met' if kept else 'MISSED'}: {budget}]"


def line(what: str, value: str, compared: str = "", budget: str = "") -> None:
    print(f"{what:<44} {value:>14}   {compared}{budget}", flush=True)


class Clock:
    """The seconds that some functions took together, each counted once where they call each other."""

    def __init__(self) -> None:
        self.seconds, self._depth = 0.0, 0

    def watch(self, owner: Any, name: str) -> None:
        whole = getattr(owner, name)

        @functools.wraps(whole)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._depth += 1
            began = time.perf_counter()
            try:
                return whole(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.perf_counter() - began

        setattr(owner, name, timed)


STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def megabytes(line: str) -> float:
    """Return what Linux says of this process's memory: VmRSS is now, VmHWM the most since it was last forgotten.

    Elsewhere it is the most there ever was, which hides a growth below that of the imports.
    """
    found = re.search(rf"{line}:\s+(\d+) kB", STATUS.read_text()) if STATUS.exists() else None
    return (int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


def child(access_id: str) -> None:
    """Read an access whole in this process, and print what it took."""
    import django

    django.setup()
    from accesses import services
    from accesses.models import Access
    from external_secrets import inventory
    from external_secrets.inventory_staging import Staging

    access = Access.objects.select_related("cluster").get(pk=access_id)
    services.connect(access).page(PREFIX)
    clock = Clock()
    for owner, name in (
        (Staging, "__enter__"), (Staging, "_copy"), (Staging, "__exit__"),
        (inventory, "_keep"), (inventory._Turn, "take"), (inventory._Turn, "update"),
    ):  # fmt: skip
        clock.watch(owner, name)
    gc.collect()
    if FORGET.exists():
        FORGET.write_text("5")
    before, began = megabytes("VmRSS"), time.perf_counter()
    assert inventory.read_all(access)
    took = time.perf_counter() - began
    print(json.dumps({"seconds": took, "database": clock.seconds, "megabytes": megabytes("VmHWM") - before}))


def read(access: Any, url: str) -> dict[str, float]:
    from tests.survival.conftest import database_url

    environment = os.environ | {
        "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings", "AWS_ENDPOINT_URL": url,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'secrets'}", "INVENTORY_PAGES_PER_SECOND": "10000",
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.bench_inventory", "child", str(access.pk)]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def median(act: Callable[[], Any], runs: int) -> float:
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        act()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def boto(url: str) -> Any:
    import boto3

    from tests.fast_aws import KEY_ID, REGION, SECRET_KEY

    return boto3.client(
        "secretsmanager", endpoint_url=url, region_name=REGION,
        aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET_KEY,
    )  # fmt: skip


def paged(url: str) -> tuple[float, float]:
    """Return the seconds of paging the whole list with plain boto3 (the peer), and the milliseconds of its one page."""
    manager = boto(url)
    page = median(lambda: manager.list_secrets(MaxResults=100), 20)
    began = time.perf_counter()
    pages = manager.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 100})
    found = [one["Name"] for page in pages for one in page["SecretList"] if one["Name"].startswith(PREFIX)]
    assert len(found) == MANY // 400
    return time.perf_counter() - began, page


def copied(access: Any) -> float:
    """Return the seconds of the least that PostgreSQL can do: COPY as many rows, with their two indexes and no rule."""
    from django.db import connection

    table = "external_secrets_inventoryentry"
    columns = "access_id, organization_id, name, reference, description, kind, tags, changed_at, deletes_at"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {table} WHERE access_id = %s ORDER BY name", [access.pk])
        rows = cursor.fetchall()
        cursor.execute(f"CREATE TABLE bench_names (LIKE {table} INCLUDING INDEXES INCLUDING IDENTITY)")
        began = time.perf_counter()
        with cursor.copy(f"COPY bench_names ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([json.dumps(value) if isinstance(value, dict) else value for value in row])
        took = time.perf_counter() - began
        cursor.execute("DROP TABLE bench_names")
    return took


def whole(access: Any, few: Any, aws: Any, small: Any) -> None:
    from external_secrets.models import InventoryEntry

    first_of_few = read(few, small.url)
    aws.forget()
    first = read(access, aws.url)
    calls = aws.asked - 1
    again = read(access, aws.url)
    assert InventoryEntry.objects.filter(access=access).count() == MANY
    peer, page = paged(aws.url)
    floor = copied(access)
    line(
        f"the whole list, {MANY:,} names, first time", f"{first['seconds']:.2f} s",
        f"{first['seconds'] / peer:4.2f} x boto3 paging it and keeping nothing ({peer:.2f} s); {calls} calls",
    )  # fmt: skip
    line(
        "  its part in the database, first time", f"{first['database']:.2f} s",
        f"{first['database'] / floor:4.1f} x COPY of the same rows ({floor:.2f} s)",
        met("2 s", first["database"] <= 2),
    )  # fmt: skip
    line(
        "  the same again, nothing changed", f"{again['database']:.2f} s",
        f"{again['database'] / floor:4.1f} x COPY ({floor:.2f} s)", met("2 s", again["database"] <= 2),
    )  # fmt: skip
    grown = first["megabytes"] - first_of_few["megabytes"]
    line(
        "  memory while reading", f"{first['megabytes']:.1f} MB",
        f"{grown:+.1f} MB against {FEW:,} names ({first_of_few['megabytes']:.1f} MB)", met("flat: 8 MB", grown <= 8),
    )  # fmt: skip
    cold(access, aws, peer, page)


def cold(access: Any, aws: Any, peer: float, page: float) -> None:
    """Print what the first answer costs while nothing was read: the manager's own filter against the whole list."""
    from external_secrets import browsing

    aws.forget()
    browsing.live(access, PREFIX)
    calls = aws.asked
    took = median(lambda: browsing.live(access, PREFIX), 20)
    line(
        "cold first answer of a prefix", f"{took:.1f} ms",
        f"{took / page:4.1f} x one page with boto3 ({page:.1f} ms), {peer * 1000 / took:.0f} times faster than paging; "
        f"{calls} call{'s' * (calls != 1)}", met("2 calls", calls <= 2),
    )  # fmt: skip


def increments(access: Any, aws: Any) -> None:
    from external_secrets import inventory
    from external_secrets.models import InventoryEntry
    from tests.fast_aws import name_of

    manager = boto(aws.url)
    page = median(lambda: manager.list_secrets(MaxResults=100), 20)
    inventory.refresh(access)
    aws.forget()
    assert inventory.refresh(access)
    calls = aws.asked
    took = median(lambda: inventory.refresh(access), 30)
    line(
        "what changed, when nothing did", f"{took:.1f} ms",
        f"{took / page:4.1f} x one page with boto3 ({page:.1f} ms); {calls} call{'s' * (calls != 1)}",
        met("50 ms, 1 call", took <= 50 and calls == 1),
    )  # fmt: skip
    for number in range(90):
        aws.put(name_of(number) if number % 2 else f"new/{number}", Tags=[{"Key": "changed", "Value": "yes"}])
    began = time.perf_counter()
    assert inventory.refresh(access)
    took = (time.perf_counter() - began) * 1000
    assert InventoryEntry.objects.filter(access=access, tags={"changed": "yes"}).count() == 90
    line("  45 new and 45 changed", f"{took:.1f} ms", f"{took / page:4.1f} x one page")


def main() -> None:
    from django.conf import settings

    from tests import factories
    from tests.fast_aws import Apart

    settings.INVENTORY_PAGES_PER_SECOND = 10_000
    before = os.environ.get("AWS_ENDPOINT_URL")
    cluster = factories.make_cluster(organization=factories.make_organization())
    few, many = factories.make_access(cluster=cluster), factories.make_access(cluster=cluster)
    with Apart(MANY) as aws, Apart(FEW) as small:
        os.environ["AWS_ENDPOINT_URL"] = aws.url
        try:
            whole(many, few, aws, small)
            increments(many, aws)
        finally:
            os.environ.pop("AWS_ENDPOINT_URL")
            if before is not None:
                os.environ["AWS_ENDPOINT_URL"] = before


if __name__ == "__main__" and sys.argv[1:2] == ["child"]:
    child(sys.argv[2])
