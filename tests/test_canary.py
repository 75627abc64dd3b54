"""Planted values are looked for in every place where a value must never be."""

import io
import logging
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from accounts.models import AuditEvent
from tests import factories
from tests.tools import broker
from tests.world import PAGES, VIEWS, World, ask

pytestmark = pytest.mark.django_db

CANARY = "canary-7f3c9a1e5b2d"
KUBECONFIG = f"users: [{{name: x, user: {{token: {CANARY}}}}}]"


def tables() -> dict[str, str]:
    """Return every row of every table as text, by table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = [row[0] for row in cursor.fetchall()]
        found = {}
        for name in names:
            cursor.execute(f'SELECT t::text FROM "{name}" t')
            found[name] = "\n".join(row[0] for row in cursor.fetchall())
    return found


@pytest.fixture
def planted(world: World, organization: Any) -> World:
    from accesses.models import Access, AccessDraft
    from clusters.models import Cluster
    from credentials.models import CloudCredential

    for credential in CloudCredential.objects.all():
        credential.secret = {
            "access_key_id": "AKIAEXAMPLE",
            "secret_access_key": CANARY,
            "session_token": CANARY,
        }
        credential.save()
    for row in Access.objects.all():
        row.credential = {
            "access_key_id": "AKIAEXAMPLE",
            "secret_access_key": CANARY,
            "session_token": CANARY,
        }
        row.save()
    for row in AccessDraft.objects.all():
        row.credential = {"access_key_id": "AKIAEXAMPLE", "secret_access_key": CANARY}
        row.provider, row.method = "aws-secrets-manager", "static"
        row.save()
    for cluster in Cluster.objects.all():
        cluster.kubeconfig = KUBECONFIG
        cluster.save()
    return world


@pytest.mark.parametrize("name", sorted(PAGES))
def test_no_page_shows_a_stored_credential(planted, owner, client, caplog, name):
    client.force_login(owner)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        with caplog.at_level(logging.DEBUG):
            ask(client, name, planted.url(name))
            page = client.get(planted.url(name)) if "GET" in VIEWS[name].callback.methods else None  # type: ignore[attr-defined]
    finally:
        logging.getLogger().removeHandler(handler)

    assert page is None or CANARY not in page.getvalue().decode()
    assert CANARY not in caplog.text + stream.getvalue()
    assert CANARY not in broker(settings.REDIS_URL)
    assert {table for table, text in tables().items() if CANARY in text} == set()


def test_the_search_itself_would_find_a_planted_value(organization, admin):
    """A canary test that cannot fail proves nothing: a value put in a plain column is found."""
    factories.make_cluster(organization=organization, status_reason=CANARY)

    assert {table for table, text in tables().items() if CANARY in text} == {"clusters_cluster"}
    assert not AuditEvent.objects.filter(details__icontains=CANARY).exists()
