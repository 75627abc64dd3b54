"""The part of `make bench` about the audit log: a million events of fifty organizations, in true chains.

`python -m tests.bench audit` alone. Pages are asked for over HTTP as the console is served; against them stands Django's
paginator with OFFSET, on the same rows, in the same run and without HTTP.
"""

import datetime
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import tracemalloc
from typing import Any

EVENTS = int(os.environ.get("AUDIT_EVENTS", "1000000"))
ORGANIZATIONS = int(os.environ.get("AUDIT_ORGANIZATIONS", "50"))
RUNS, PLAIN_RUNS = int(os.environ.get("AUDIT_RUNS", "40")), 5
SECONDS = 6.0
_ACTIONS = (
    ("deploy.requested", 22), ("deploy.succeeded", 18), ("deploy.failed", 3), ("external_secret.linked", 14),
    ("external_secret.changed", 12), ("sign_in.succeeded", 14), ("sign_in.failed", 4), ("permission.refused", 4),
    ("credential.tested", 6), ("access.created", 2), ("member.added", 1), ("credential.deleted", 0.05),
)  # fmt: skip
_COLUMNS = (
    "organization_id", "id", "sequence", "at", "actor_id", "actor_name", "role", "token", "action", "target_type",
    "target_id", "target_name", "cluster", "details", "origin", "address", "user_agent", "request_id",
    "previous_hash", "scheme", "hash",
)  # fmt: skip


def fill() -> list[Any]:
    """Load the events by COPY, each organization's chain as `record` would have made it, interleaved in time."""
    from django.db import connection

    from accounts.models import Organization

    Organization.objects.bulk_create(
        Organization(name=f"Audit {n}", slug=f"audit-{n}") for n in range(ORGANIZATIONS)
    )
    organizations = list(Organization.objects.filter(slug__startswith="audit-").order_by("pk"))
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_indexdef(indexrelid), indexrelid::regclass::text FROM pg_index WHERE indrelid ="
                       " 'accounts_auditevent'::regclass AND NOT indisunique")  # fmt: skip
        indexes = cursor.fetchall()
        for _, name in indexes:
            cursor.execute(f"DROP INDEX {name}")
        cursor.execute("ALTER TABLE accounts_auditevent DISABLE TRIGGER USER")
        cursor.execute("SELECT coalesce(max(id), 0) + 1 FROM accounts_auditevent")
        (first,) = cursor.fetchone()
        with cursor.copy(f"COPY accounts_auditevent ({', '.join(_COLUMNS)}) FROM STDIN") as copy:
            for row in _rows(organizations, first):
                copy.write_row(row)
        cursor.execute("ALTER TABLE accounts_auditevent ENABLE TRIGGER USER")
        cursor.execute(
            "INSERT INTO accounts_audithead SELECT DISTINCT ON (organization_id) organization_id, sequence, hash, at"
            " FROM accounts_auditevent WHERE organization_id = ANY(%s) ORDER BY organization_id, sequence DESC",
            [[organization.pk for organization in organizations]],
        )
        cursor.execute(
            "SELECT setval('accounts_auditevent_id_seq', (SELECT max(id) FROM accounts_auditevent))"
        )
        loaded = time.perf_counter()
        for definition, _ in indexes:
            cursor.execute(definition)
        cursor.execute("VACUUM (ANALYZE) accounts_auditevent")
        cursor.execute("SELECT pg_size_pretty(pg_total_relation_size('accounts_auditevent'))")
        (size,) = cursor.fetchone()
    done = time.perf_counter()
    print(f"{EVENTS:,} events of {ORGANIZATIONS} organizations, {size}: {loaded - began:.0f} s to load and hash,"
          f" {done - loaded:.0f} s for {len(indexes)} indexes", flush=True)  # fmt: skip
    return organizations


def _rows(organizations: list[Any], first: int) -> Any:
    """Yield the events in the order of time, so that an organization's are spread over the whole table."""
    import random

    from accounts.audit import hashing

    chance = random.Random(6)
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=365)
    step = datetime.timedelta(days=364) / EVENTS
    actions = chance.choices([a for a, _ in _ACTIONS], [weight for _, weight in _ACTIONS], k=EVENTS)
    heads = {organization.pk: (0, hashing.GENESIS) for organization in organizations}
    for n in range(EVENTS):
        organization = organizations[n % ORGANIZATIONS].pk
        sequence, previous = heads[organization]
        person, cluster = chance.randrange(40), f"cluster-{chance.randrange(8)}"
        at = start + n * step
        origin = chance.choices(("console", "api", "worker", "cli"), (60, 15, 24, 1))[0]
        values = [
            organization, first + n, sequence + 1, hashing.moment(at), str(person), f"Person {person:02d}", "DevOps",
            "ci (kh_1234)" if origin == "api" else "", actions[n], "cluster", str(chance.randrange(2000)),
            f"prod/service-{chance.randrange(900)}/key-{n % 5000}", cluster,
            {"changes": {"state": ["off", "on"]}, "number": n % 100}, origin,
            f"192.0.2.{chance.randrange(250)}" if origin in ("console", "api") else "", "Mozilla/5.0", f"{n:032x}",
            previous,
        ]  # fmt: skip
        own = hashing.digest(2, values)
        heads[organization] = sequence + 1, own
        values[13] = json.dumps(values[13])
        yield (*values, 2, own)


FILTERS = {
    "nothing": "",
    "an action, rare": "action=credential.deleted",
    "an action, common": "action=deploy.requested",
    "a group of actions": "action=deploy.*",
    "failed": "outcome=failed",
    "done": "outcome=done",
    "a person": "who=7",
    "a person without events": "who=99999",
    "an object": "type=cluster&object=77",
    "a cluster": "cluster=cluster-3",
    "the command line": "origin=cli",
    "the console": "origin=console",
    "an address": "address=192.0.2.17",
    "a token": "token=ci (kh_1234)",
    "three months": "start={month3}&end={month6}",
    "person, action, time": "who=7&action=deploy.failed&start={month3}&end={month6}",
    "person, group, cluster, console": "who=7&action=deploy.*&cluster=cluster-3&origin=console",
    "cluster, console, no match": "cluster=cluster-3&origin=console&address=203.0.113.1",
    "a text, common": "q=service-1",
    "a text, rare": "q=key-4321",
    "a text that nothing has": "q=nowhere",
    "a text and a person": "q=person 07 service-12",
}  # fmt: skip


def _addresses(organization: Any) -> dict[str, str]:
    now = datetime.datetime.now(datetime.UTC)
    months = {f"month{n}": f"{now - datetime.timedelta(days=365 - 30 * n):%Y-%m-%d}" for n in (3, 6)}
    quoted = {name: text.format(**months).replace(" ", "%20") for name, text in FILTERS.items()}
    return {name: f"/o/{organization.slug}/audit/?{text}" for name, text in quoted.items()}


def pages(organization: Any, owner: Any) -> None:
    """Print p95 of the first, a middle and the last page of each filter, and what OFFSET takes for the last."""
    from django.http import QueryDict

    from accounts.audit import queries
    from accounts.audit.forms import FilterForm
    from tests import bench_browse

    headers = {"Cookie": bench_browse.sign_in(owner), "HX-Request": "true"}
    worst, slowest_plain = 0.0, 0.0
    print(f"{'one page of 50 over HTTP, p95 in ms':<36}{'first':>8}{'middle':>8}{'last':>8}{'whole page':>12}"
          f"{'events':>9}   OFFSET and COUNT, last page, no HTTP", flush=True)  # fmt: skip
    with bench_browse.served() as port:
        for name, address in _addresses(organization).items():
            form = FilterForm(QueryDict(address.partition("?")[2]))
            assert form.is_valid(), form.errors
            found = queries.events(organization, form.filters())
            every = list(found.order_by("-sequence").values_list("sequence", flat=True))
            middle = f"&before={every[len(every) // 2]}" if every else ""
            took = [_p95(port, address + more, headers) for more in ("", middle, "&last=1")]
            whole = _p95(port, address, {"Cookie": headers["Cookie"]})
            plain = _offset(found)
            worst, slowest_plain = max(worst, *took), max(slowest_plain, plain)
            print(f"{name:<36}" + "".join(f"{one:8.1f}" for one in took) + f"{whole:12.1f}{len(every):9,}"
                  f"   {plain:8.1f} ms  {plain / took[2]:5.1f} x", flush=True)  # fmt: skip
    print(f"{'any page':<36}{worst:8.1f} ms at most; OFFSET {slowest_plain:.1f} ms", flush=True)


def _p95(port: int, path: str, headers: dict[str, str]) -> float:
    from tests import bench_browse

    took: list[float] = []
    bench_browse.ask(port, [path] * 5, headers, [], time.monotonic() + 30)
    bench_browse.ask(port, [path] * RUNS, headers, took, time.monotonic() + 60)
    return sorted(took)[int(RUNS * 0.95) - 1]


def _offset(found: Any) -> float:
    """Return the median milliseconds of Django's paginator for the last page of the same rows."""
    from django.core.paginator import Paginator

    took = []
    for _ in range(PLAIN_RUNS):
        began = time.perf_counter()
        paginator = Paginator(found.all(), 50)
        list(paginator.page(paginator.num_pages).object_list)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def depth(organizations: list[Any]) -> None:
    """Print a page at the depth of nine tenths of the whole table: keyset against OFFSET."""
    from django.core.paginator import Paginator

    from accounts.models import AuditEvent
    from tests import bench

    rows = AuditEvent.objects.order_by("-id")
    deep = rows.values_list("id", flat=True)[int(EVENTS * 0.9)]

    def keyset() -> Any:
        return list(rows.filter(id__lt=deep)[:50])

    def offset() -> Any:
        return list(Paginator(rows, 50).page(EVENTS * 9 // 10 // 50).object_list)

    bench.show(f"OFFSET at {EVENTS * 9 // 10:,} of {EVENTS:,}", offset, "keyset there", keyset, 5)


def append(organization: Any, owner: Any) -> None:
    """Print what an event adds to a change, in a transaction with one other write."""
    from django.db import transaction

    from accounts.audit import origin, services
    from accounts.models import Membership

    membership = Membership.objects.get(organization=organization, user=owner)
    took: dict[bool, list[float]] = {True: [], False: []}
    with origin.of_request(address="192.0.2.1", user_agent="Mozilla/5.0", request_id="0" * 32):
        origin.entered(organization_id=organization.pk, user_id=owner.pk, roles="Owner")
        for n in range(1200):
            with transaction.atomic():
                Membership.objects.filter(pk=membership.pk).update(last_active_at=None)
                began = time.perf_counter()
                services.record(
                    organization=organization, by=owner, action="member.changed", target=membership,
                    details={"changes": {"roles": [["viewer"], ["devops"]]}, "number": n},
                )  # fmt: skip
                took[n >= 200].append((time.perf_counter() - began) * 1000)
    every = sorted(took[True])
    print(f"{'an event inside a change':<44} p50 {statistics.median(every):5.2f} p95 {every[949]:5.2f} "
          f"p99 {every[989]:5.2f} ms", flush=True)  # fmt: skip


WRITER = """
import sys, time, django
django.setup()
from accounts.audit import services
from accounts.models import Organization
organization = Organization.objects.get(slug=sys.argv[1])
services.record(organization=organization, by=None, action="cluster.tested", target=organization)
print("ready", flush=True)
sys.stdin.readline()
until, number = time.monotonic() + float(sys.argv[2]), 0
while time.monotonic() < until:
    services.record(organization=organization, by=None, action="cluster.tested", target=organization, details={"n": number})
    number += 1
print(number, flush=True)
"""


def writers(organizations: list[Any]) -> None:
    """Print how many events eight processes append in a second, each a transaction, over eight organizations."""
    from tests.survival.conftest import database_url

    root = os.getcwd()
    environment = os.environ | {
        "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": f"{root}:{root}/secrets",
    }  # fmt: skip
    command = [sys.executable, "-c", WRITER]
    running = [
        subprocess.Popen([*command, one.slug, str(SECONDS)], env=environment, text=True, stdin=-1, stdout=-1)
        for one in organizations[:8]
    ]
    for one in running:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in running:
        assert one.stdin
        one.stdin.write("\n")
        one.stdin.flush()
    written = sum(int(one.communicate()[0]) for one in running)
    print(f"{'8 writers over 8 organizations':<44} {written / SECONDS:8.0f} events/s", flush=True)


def exports(organization: Any, owner: Any) -> None:
    """Print the time and the greatest memory of an export of all rows, against one of a tenth."""
    from accounts.audit import export
    from accounts.audit.export import Export
    from accounts.audit.queries import Filters
    from accounts.models import AuditEvent

    for kind in ("jsonl", "csv"):
        peaks = []
        for part in (EVENTS // ORGANIZATIONS // 10, EVENTS // ORGANIZATIONS):
            rows = AuditEvent.objects.owned_by(organization).filter(sequence__lte=part)
            tracemalloc.start()
            for _ in Export(organization, Filters(), rows, part, kind).lines():
                pass
            peaks.append(tracemalloc.get_traced_memory()[1] / 1024**2)
            tracemalloc.stop()
        began, size = time.perf_counter(), 0
        begun = export.begin(organization=organization, filters=Filters(), kind=kind, by=owner)
        for text in begun.lines():
            size += len(text)
        rate = begun.events / (time.perf_counter() - began)
        print(f"{f'an export as {kind}':<44} {rate:8.0f} events/s, {size / 1024**2:.1f} MB; memory {peaks[1]:.1f} MB for "
              f"{EVENTS // ORGANIZATIONS:,} events, {peaks[0]:.1f} MB for a tenth", flush=True)  # fmt: skip


def million(organizations: list[Any]) -> None:
    """Print the time and memory of exporting everything, one organization after the other in one process."""
    from accounts.audit.export import Export
    from accounts.audit.queries import Filters
    from accounts.models import AuditEvent

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, events, size, whole = time.perf_counter(), 0, 0, hashlib.sha256()
    for organization in organizations:
        rows = AuditEvent.objects.owned_by(organization)
        for text in Export(organization, Filters(), rows, 0, "jsonl").lines():
            size += len(text)
            whole.update(text.encode())
        events += EVENTS // ORGANIZATIONS
    seconds = time.perf_counter() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{f'all {events:,} as JSON lines':<44} {seconds:8.1f} s, {size / 1024**2:.0f} MB; "
          f"this process grew by {grown:.1f} MB", flush=True)  # fmt: skip


def verification(organizations: list[Any]) -> None:
    from accounts.audit import services

    began = time.perf_counter()
    checked = [services.verify(organization) for organization in organizations]
    seconds = time.perf_counter() - began
    assert all(chain.ok for chain in checked), checked
    events = sum(chain.checked for chain in checked)
    print(f"{f'the chains of {events:,} events verified':<44} {seconds:8.1f} s", flush=True)


def main() -> None:
    from accounts.models import Membership
    from tests import factories

    organizations = fill()
    owner = factories.make_user(name="Owner")
    for organization in organizations[:1]:
        Membership.objects.create(organization=organization, user=owner, roles=["owner"])
    pages(organizations[0], owner)
    depth(organizations)
    append(organizations[9], _member(organizations[9]))
    writers(organizations)
    exports(organizations[0], owner)
    million(organizations)
    verification(organizations)


def _member(organization: Any) -> Any:
    from tests import factories

    return factories.make_member(organization, "owner")
