"""The part of `make bench` about an attack on the sign-in: how long other pages take meanwhile, and whether time tells
an account that exists from one that does not. `python -m tests.bench flood` alone.
"""

import http.client
import itertools
import os
import re
import statistics
import threading
import time
import urllib.parse
from typing import Any

from tests import bench_browse

RATE, SECONDS, ATTACKERS = 100, 20.0, 4


def _form(port: int) -> tuple[str, str]:
    """Return the cookie and the token that a sign-in form is sent with."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/accounts/login/")
    response = connection.getresponse()
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', response.read().decode())
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    connection.close()
    assert found is not None
    return cookie, found[1]


class Attacker:
    """Sends wrong passwords, each from another address; what it took is in `took`, in milliseconds."""

    def __init__(self, port: int, email: str, first: int = 0) -> None:
        self.port, self.email, self.addresses = port, email, itertools.count(first)
        self.cookie, self.token = _form(port)
        self.took: list[float] = []
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def try_one(self) -> None:
        number = next(self.addresses)
        body = urllib.parse.urlencode(
            {"csrfmiddlewaretoken": self.token, "login": self.email, "password": f"wrong {number}"}
        )
        headers = {
            "Cookie": self.cookie,
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Forwarded-For": f"10.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}",
        }
        began = time.perf_counter()
        self.connection.request("POST", "/accounts/login/", body, headers)
        answer = self.connection.getresponse()
        answer.read()
        self.took.append((time.perf_counter() - began) * 1000)
        assert answer.status in (200, 422, 429), answer.status

    def go_on(self, until: float) -> None:
        while time.monotonic() < until:
            began = time.monotonic()
            self.try_one()
            time.sleep(max(0.0, ATTACKERS / RATE - (time.monotonic() - began)))


def _attack(port: int, email: str) -> tuple[list[Attacker], list[threading.Thread]]:
    attackers = [Attacker(port, email, number * 1_000_000) for number in range(ATTACKERS)]
    until = time.monotonic() + SECONDS
    threads = [threading.Thread(target=one.go_on, args=(until,)) for one in attackers]
    for thread in threads:
        thread.start()
    return attackers, threads


def _pages(port: int, headers: dict[str, str]) -> dict[str, float]:
    return bench_browse.measure(port, ["/o/flooded/clusters/"] * 400, headers, 1)


def main() -> None:
    from accounts.models import Membership
    from tests import factories

    owner = factories.make_user(email="owner@flooded.example")
    organization = factories.make_organization(name="Flooded", slug="flooded")
    Membership.objects.create(organization=organization, user=owner, roles=["owner"])
    headers = {"Cookie": bench_browse.sign_in(owner)}
    os.environ["TRUSTED_PROXIES"] = "127.0.0.0/8"
    with bench_browse.served() as port:
        quiet = _pages(port, headers)
        attackers, threads = _attack(port, owner.email)
        time.sleep(2)
        flooded = _pages(port, headers)
        for thread in threads:
            thread.join()
        tried = sum(len(one.took) for one in attackers)
        say_flood(quiet, flooded, tried)
        say_times(port, owner.email)
        factories.make_cluster(organization=factories.make_organization(slug="hidden"), name="prod")
        say_absent(port, headers)


def say_flood(quiet: dict[str, Any], flooded: dict[str, Any], tried: int) -> None:
    print(
        f"{'a page while nothing happens':<44} p50 {quiet['p50']:5.2f} p95 {quiet['p95']:5.2f} ms\n"
        f"{f'the same while {tried / SECONDS:.0f} wrong passwords/s come':<44} p50 {flooded['p50']:5.2f} "
        f"p95 {flooded['p95']:5.2f} ms   {flooded['p95'] / quiet['p95']:4.1f} x",
        flush=True,
    )


def say_times(port: int, email: str) -> None:
    """Ask in turns, so that whatever else the machine does falls on both alike; all of these tries are slowed."""
    known, unknown = Attacker(port, email, 10_000_000), Attacker(port, "nobody@flooded.example", 11_000_000)
    for _ in range(150):
        known.try_one()
        unknown.try_one()
    one, other = statistics.median(known.took), statistics.median(unknown.took)
    print(
        f"{'a wrong password of somebody, of nobody':<44} p50 {one:5.2f} and {other:5.2f} ms   {one / other:5.2f} x",
        flush=True,
    )


def say_absent(port: int, headers: dict[str, str]) -> None:
    """Ask in turns for a cluster of an organization that the person is not in, and of one that never was."""
    paths = ("/o/hidden/clusters/prod/", "/o/nowhere/clusters/prod/")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    took: dict[str, list[float]] = {path: [] for path in paths}
    bodies: dict[str, bytes] = {}
    for path in paths * 200:
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        bodies[path] = answer.read()
        took[path].append((time.perf_counter() - began) * 1000)
        assert answer.status == 404
    assert len(set(bodies.values())) == 1
    one, other = (statistics.median(took[path]) for path in paths)
    print(
        f"{'what is not yours, what never was':<44} p50 {one:5.2f} and {other:5.2f} ms   {one / other:5.2f} x",
        flush=True,
    )
