"""The part of `make bench` about cloud credentials: five hundred of them, five hundred clusters with twenty services each.

`python -m tests.bench credentials` runs it alone. The floor of the pages is the login page in the same process and the
same run; that of writing encrypted values anew is only reading them.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

MANY, SERVICES, VALUES = 500, 20, 10_000
RUNS = 30
SLUG = "bench-credentials"


def fill() -> Any:
    """Return the owner of an organization in which one credential is used by every cluster, and each other by one."""
    from accesses.models import Access
    from clusters.models import Cluster, Service
    from credentials.models import CloudCredential
    from tests import factories

    organization = factories.make_organization(name="Bench", slug=SLUG)
    owner = factories.make_member(organization, "owner")
    now = factories.timezone.now()
    owned = {"organization": organization, "set_at": now, "set_by": "x", "created_by": "x"}
    credentials = CloudCredential.objects.bulk_create(
        CloudCredential(
            name=f"aws-{number:03d}", cloud="aws", method="static", facts=factories.aws_facts(),
            secret={"access_key_id": f"AKIA{number:016d}", "secret_access_key": "s" * 40}, **owned,
        )
        for number in range(MANY)
    )  # fmt: skip
    clusters = Cluster.objects.bulk_create(
        Cluster(
            organization=organization, name=f"prod-{number:03d}", kind="eks", server=f"https://c{number}.example",
            kubeconfig=factories.KUBECONFIG * 20, credential=credentials[number], seen_at=now,
        )
        for number in range(MANY)
    )  # fmt: skip
    Service.objects.bulk_create(
        (
            Service(cluster=cluster, namespace="shop", kind="Deployment", name=f"s-{number}", seen_at=now)
            for cluster in clusters
            for number in range(SERVICES)
        ),
        batch_size=2000,
    )
    Access.objects.bulk_create(
        Access(
            cluster=cluster, name=name, provider="aws-secrets-manager", method="static",
            configuration={"region": "eu-west-3"}, credential={}, cloud_credential=credentials[0], namespaces=["shop"],
        )
        for cluster in clusters
        for name in ("one", "two")
    )  # fmt: skip
    settled()
    return owner


def settled() -> None:
    """Do at once what the database does by itself within a minute after so many new rows."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def timed(act: Callable[[], Any], floor: Callable[[], Any], runs: int = RUNS) -> tuple[float, float, float]:
    """Return the milliseconds of half and of 95 of 100 calls, after three that warm up, and of half the floor's.

    Both take turns, so that whatever else the machine does slows both.
    """
    for _ in range(3):
        act()
        floor()
    pairs = [(_seconds(act)[0] * 1000, _seconds(floor)[0] * 1000) for _ in range(runs)]
    mine, least = zip(*pairs, strict=True)
    return statistics.median(mine), statistics.quantiles(mine, n=20)[-1], statistics.median(least)


def pages(owner: Any) -> None:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client, nobody = Client(), Client()
    client.force_login(owner)

    def get(path: str, client: Client = client) -> Callable[[], None]:
        def act() -> None:
            assert client.get(path).status_code == 200

        return act

    floor = get("/accounts/login/", nobody)
    base = f"/o/{SLUG}"
    for what, path in (
        (f"the list of {MANY} clusters", f"{base}/clusters/"),
        ("  the next fifty", f"{base}/clusters/?after=prod-249"),
        ("  filtered by text and state", f"{base}/clusters/?q=prod-4&state=never-deployed"),
        (f"the list of {MANY} credentials", f"{base}/credentials/"),
        ("  by the age of their keys", f"{base}/credentials/?sort=age"),
        (f"who uses a credential of {MANY} clusters", f"{base}/credentials/aws-000/usage/"),
        ("  its own page", f"{base}/credentials/aws-000/"),
    ):
        with CaptureQueriesContext(connection) as found:
            get(path)()
            queries = len(found)
        half, most, least = timed(get(path), floor)
        print(
            f"{what:<44} {half:8.2f} ms   p95 {most:.2f} ms, {queries} queries; "
            f"{half / least:5.1f} x login page ({least:.2f} ms)",
            flush=True,
        )


def writing_anew(owner: Any) -> None:
    """Print what it takes to write ten thousand values with another key, against only looking at them."""
    from cryptography.fernet import Fernet
    from django.conf import settings

    from accounts.encryption import keys, rotating
    from credentials.models import CloudCredential

    organization = owner.memberships.get().organization
    like = CloudCredential.objects.filter(organization=organization).first()
    assert like is not None
    rows = []
    for number in range(VALUES):
        row = CloudCredential(
            organization=organization, name=f"value-{number:05d}", cloud="aws", method="static", facts={},
            set_at=like.set_at, set_by="x", created_by="x",
        )  # fmt: skip
        row.secret = {"secret_access_key": "s" * 40}
        rows.append(row)
    CloudCredential.objects.bulk_create(rows, batch_size=1000)
    before = list(settings.FIELD_ENCRYPTION_KEY)
    settings.FIELD_ENCRYPTION_KEY = [Fernet.generate_key().decode(), *before]
    try:
        keys.may_write()
        looked, read = _seconds(lambda: rotating.run(write=False))
        wrote, written = _seconds(lambda: rotating.run(write=True))
    finally:
        settings.FIELD_ENCRYPTION_KEY = before
    total = sum(counts.total() for counts in read.found.values())
    assert written.written == total >= VALUES
    assert not written.unreadable
    print(
        f"{f'{total:,} values under another key':<44} {wrote:8.2f} s    {wrote / looked:6.1f} x only reading them "
        f"({looked:.2f} s)",
        flush=True,
    )


def _seconds(act: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = act()
    return time.perf_counter() - began, found


def token() -> None:
    """Print what a presigned token for EKS takes, against its one signature."""
    import hashlib
    import hmac

    from credentials.clouds.aws import asking, clusters

    session = asking.Keys("AKIATESTTESTTESTTEST", "s" * 40)
    locator = {"name": "prod", "region": "eu-west-3"}

    def sign() -> None:
        key = b"s" * 40
        for word in (b"20260101", b"eu-west-3", b"sts", b"aws4_request", b"x" * 300):
            key = hmac.new(key, word, hashlib.sha256).digest()

    half, most, least = timed(lambda: clusters.token(session, {"partition": "aws"}, locator), sign, 100)
    print(
        f"{'a token for EKS, signed here':<44} {half:8.2f} ms   p95 {most:.2f} ms; "
        f"{half / least:6.0f} x five HMACs ({least * 1000:.0f} us)",
        flush=True,
    )


def main() -> None:
    owner = fill()
    pages(owner)
    token()
    writing_anew(owner)
