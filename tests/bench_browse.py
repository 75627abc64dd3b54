"""The part of `make bench` about browsing: the answer to a keystroke over HTTP, as the console is served.

gunicorn is a process of its own with two workers; whoever asks lives in this one. `python -m tests.bench browse` alone.
"""

import contextlib
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SIZES = {"small": 1_000, "large": 100_000}
REQUESTS, SECONDS = 400, 4.0
LINKS = 1_000


def fill() -> dict[str, Any]:
    """Return an organization of each size, whose inventory has so many names; both have the same owner."""
    from accounts.models import Membership
    from tests import factories

    owner = factories.make_user()
    found = {}
    for slug, size in SIZES.items():
        organization = factories.make_organization(name=slug.title(), slug=f"browse-{slug}")
        Membership.objects.create(organization=organization, user=owner, roles=["owner"])
        cluster = factories.make_cluster(organization=organization, name="prod")
        access = factories.make_access(cluster=cluster, name="aws")
        names(access, size)
        found[slug] = {"organization": organization, "owner": owner, "cluster": cluster, "access": access}
    link(found["large"])
    return found


def names(access: Any, size: int) -> None:
    from django.utils import timezone

    from external_secrets.models import InventoryEntry, InventoryState

    account = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:"
    rows = (
        InventoryEntry(
            access=access, organization_id=access.cluster.organization_id, name=name, reference=f"{account}{name}-AbCdEf",
            tags={"stage": "prod", "team": f"t{n % 40}"}, changed_at=timezone.now(),
        )
        for n in range(size)
        for name in [f"prod/team-{n % 400:03d}/service-{n % 37:02d}/key-{n:06d}"]
    )  # fmt: skip
    InventoryEntry.objects.bulk_create(rows, batch_size=5000)
    InventoryState.objects.create(access=access, read_at=timezone.now(), entries=size)


def link(of: dict[str, Any], number: int = LINKS) -> None:
    """Link every hundredth name to one of fifty services."""
    from external_secrets.models import ExternalSecret, InventoryEntry
    from tests import factories

    services = [factories.make_service(cluster=of["cluster"], name=f"service-{n}") for n in range(50)]
    keys = InventoryEntry.objects.filter(access=of["access"]).order_by("name").values_list("name", flat=True)
    ExternalSecret.objects.bulk_create(
        ExternalSecret(
            cluster=of["cluster"], namespace="shop", service=services[n % 50], access=of["access"], container="web",
            key=key, variable=f"V{n:05}",
        )
        for n, key in enumerate(list(keys)[::100][:number])
    )  # fmt: skip


@contextlib.contextmanager
def served() -> Iterator[int]:
    """Run gunicorn as README says, on this bench's database, and yield its port."""
    from tests.survival.conftest import database_url

    with tempfile.TemporaryDirectory() as static, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        environment = os.environ | {
            "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings", "STATIC_ROOT": static,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'secrets'}", "LOG_LEVEL": "ERROR", "DEBUG": "false",
        }  # fmt: skip
        run = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v", "0"]
        subprocess.run(run, cwd=ROOT, env=environment, check=True, timeout=120)
        command = [
            sys.executable, "-m", "gunicorn", "config.wsgi", "--worker-class", "gthread", "--workers", "2",
            "--threads", "8", "--bind", f"127.0.0.1:{port}", "--log-level", "error",
        ]  # fmt: skip
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        try:
            wait(port)
            yield port
        finally:
            process.terminate()
            process.wait(20)


def wait(port: int) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/accounts/login/", timeout=5).read()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def sign_in(owner: Any) -> str:
    """Return the cookie of a session of that person, made as a row and listed, as signing in does."""
    from allauth.usersessions.models import UserSession
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(owner)
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    UserSession.objects.get_or_create(session_key=key, defaults={"user": owner, "ip": "127.0.0.1"})
    return f"{settings.SESSION_COOKIE_NAME}={key}"


def ask(port: int, paths: list[str], headers: dict[str, str], took: list[float], until: float) -> None:
    """Ask for one address after the other on one connection, and add the milliseconds of each answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for path in paths:
        if time.monotonic() > until:
            break
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        response.read()
        took.append((time.perf_counter() - began) * 1000)
        if response.status != 200:
            raise AssertionError(f"{path} answered {response.status}")
    connection.close()


def measure(port: int, paths: list[str], headers: dict[str, str], connections: int) -> dict[str, float]:
    """Return p50 and p95 in milliseconds, and the requests in a second, of so many connections at once."""
    ask(port, paths[:30], headers, [], time.monotonic() + SECONDS)
    took: list[list[float]] = [[] for _ in range(connections)]
    until, began = time.monotonic() + SECONDS, time.perf_counter()
    threads = [
        threading.Thread(target=ask, args=(port, paths[at::connections], headers, took[at], until))
        for at in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    every = sorted(one for some in took for one in some)
    return {
        "p50": statistics.median(every),
        "p95": every[int(len(every) * 0.95) - 1],
        "rate": len(every) / seconds,
    }


def say(
    what: str, one: dict[str, float], eight: dict[str, float], floor: tuple[float, float] | None = None
) -> None:
    ratio = (
        f"   {one['p50'] / floor[0]:4.1f} x, {floor[1] / eight['rate']:4.1f} x the login page"
        if floor
        else ""
    )
    print(
        f"{what:<44} p50 {one['p50']:5.2f} p95 {one['p95']:5.2f} ms   8 connections: {eight['rate']:5.0f}/s "
        f"p50 {eight['p50']:5.1f} p95 {eight['p95']:5.1f} ms{ratio}",
        flush=True,
    )


def keystrokes(slug: str) -> list[str]:
    """Return what a browser asks for while people type: prefixes of names, each longer than the one before."""
    words = [f"prod/team-{n % 400:03d}/service-{n % 37:02d}/" for n in range(REQUESTS // 4)]
    typed = [word[:length] for word in words for length in (6, 12, 16, 22)]
    return [f"/o/browse-{slug}/secrets/?q={text}" for text in typed]


def http_part(organizations: dict[str, Any]) -> None:
    owner = organizations["large"]["owner"]
    headers = {"Cookie": sign_in(owner), "HX-Request": "true"}
    with served() as port:
        login = ["/accounts/login/"] * REQUESTS
        floor = measure(port, login, {}, 1), measure(port, login, {}, 8)
        say("the login page", *floor)
        least = floor[0]["p50"], floor[1]["rate"]
        for slug, size in SIZES.items():
            typed = keystrokes(slug)
            found = measure(port, typed, headers, 1), measure(port, typed, headers, 8)
            say(f"20 rows as somebody types, of {size:,} names", *found, least)
        page = keystrokes("large")[::4]
        plain = {"Cookie": headers["Cookie"]}
        say("the whole page, folders and counts", *(measure(port, page, plain, n) for n in (1, 8)), least)
        inside = [f"/o/browse-large/secrets/?mode=contains&q=KEY-0{n:04d}" for n in range(40)]
        say("20 rows that contain a text", *(measure(port, inside, headers, n) for n in (1, 8)), least)


def queries(organizations: dict[str, Any]) -> None:
    """Print the queries of the lists of links, with ten links and with a thousand; they are as many."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client()
    client.force_login(organizations["large"]["owner"])
    link(organizations["small"], 10)
    lists = {
        "the linked list, 50 of": "secrets/linked/",
        "the usage of an access, all of": "clusters/prod/secret-managers/aws/usage/?show=1000",
    }
    for what, path in lists.items():
        taken = {}
        for slug, number in (("small", 10), ("large", LINKS)):
            client.get(f"/o/browse-{slug}/{path}")
            with CaptureQueriesContext(connection) as caught:
                began = time.perf_counter()
                client.get(f"/o/browse-{slug}/{path}")
            taken[slug] = len(caught)
            took = (time.perf_counter() - began) * 1000
            print(f"{what:<32} {number:5,} links {len(caught):10d} queries {took:8.1f} ms", flush=True)
        assert len(set(taken.values())) == 1, taken


def main() -> None:
    from tests import bench

    organizations = fill()
    bench.settled()
    http_part(organizations)
    queries(organizations)
