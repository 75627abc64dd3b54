"""A deploy brings a value of the built-in store into the cluster, through the gateway, and nowhere else."""

import base64
import logging
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection

from accesses import trials
from accesses.providers.gateway import tokens as gateway_tokens
from accounts.models import AuditEvent
from built_in import services
from sandbox import reading, reading_values
from tests.security import crawl
from tests.test_main_job import _no_broker, connected, deploy, lines, link, make_access

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db(transaction=True)]
CANARY = "canary-41fa-value"
__all__ = ["_no_broker", "connected"]


@pytest.fixture
def access(connected, organization, devops, live_server, settings) -> Any:
    cache.clear()
    settings.BASE_URL = live_server.url
    settings.ALLOWED_HOSTS = ["*"]
    organization.built_in_store = True
    organization.save()
    connected.refresh_from_db()
    services.create(organization=organization, name="prod/db", value=CANARY, tags={})
    services.create(
        organization=organization, name="prod/json", value=f'{{"user": "{CANARY}-field"}}', tags={}
    )
    return make_access(
        connected, ("", ""), devops, provider="built-in", method="gateway", name="own",
        configuration={"gateway_address": "", "gateway_ca": ""}, credential={"token": gateway_tokens.new()},
    )  # fmt: skip


def value_of(sandbox_cluster, made) -> str:
    secret = sandbox_cluster.get("Secret", made.object_name, "shop")
    return base64.b64decode(secret["data"][made.secret_key]).decode()


def read(sandbox_cluster, access, key: str, **more: str) -> str:
    """Read as the operator does."""
    manifest = sandbox_cluster.get("ClusterSecretStore", access.store_name, "")
    return reading.Reader(sandbox_cluster, "").value(manifest, {"key": key} | more)


def test_values_and_fields_arrive_and_end(access, devops, sandbox_cluster, organization, caplog):
    with caplog.at_level(logging.DEBUG):
        whole = link(access, devops, key="prod/db", variable="DB")
        field = link(access, devops, key="prod/json", json_field="user", variable="DB_USER")
        made = deploy(access.cluster, devops)

        assert made.status == "succeeded", lines(made)
        assert value_of(sandbox_cluster, whole) == CANARY
        assert value_of(sandbox_cluster, field) == f"{CANARY}-field"
        services.put(organization=organization, name="prod/db", value=f"{CANARY}-2")
        assert read(sandbox_cluster, access, "prod/db") == f"{CANARY}-2"
        services.delete(organization=organization, name="prod/db")
        with pytest.raises(reading_values.Missing):
            read(sandbox_cluster, access, "prod/db")
        with pytest.raises(reading_values.Failed, match="403"):
            read(sandbox_cluster, access, "prod/json")

    token = access.credential["token"]
    stored = "\n".join(row for rows in crawl.rows().values() for row in rows)
    for planted in (CANARY, token):
        assert planted not in stored + caplog.text + lines(made)
    assert AuditEvent.objects.filter(action="gateway.read").count() == 3
    connection.close()


def test_a_stolen_token_reads_nothing_that_is_not_linked(access, devops, sandbox_cluster):
    link(access, devops, key="prod/db", variable="DB")
    deploy(access.cluster, devops)

    assert read(sandbox_cluster, access, "prod/db") == CANARY
    with pytest.raises(reading_values.Failed, match="403"):
        read(sandbox_cluster, access, "prod/json")


def test_a_new_token_is_the_clusters_with_the_next_deploy(access, devops, sandbox_cluster):
    link(access, devops, key="prod/db", variable="DB")
    deploy(access.cluster, devops)
    access.refresh_from_db()
    access.credential = {"token": gateway_tokens.new()}
    access.save()

    with pytest.raises(reading_values.Failed, match="401"):
        read(sandbox_cluster, access, "prod/db")
    deploy(access.cluster, devops)
    assert read(sandbox_cluster, access, "prod/db") == CANARY


def test_a_document_of_elasticsearch_arrives_and_its_password_stays_here(
    connected, organization, devops, live_server, settings, vendors, sandbox_cluster
):
    from tests.accesses.worlds import elasticsearch as world

    settings.BASE_URL, settings.ALLOWED_HOSTS = live_server.url, ["*"]
    vendor = vendors["elasticsearch"]
    vendor.plant("reset")
    user = "keyhaven-writer"
    access = make_access(
        connected, ("", ""), devops, provider="elasticsearch", method="password", name="elastic",
        configuration=world.configuration(vendor, "password", user),
        credential=world.credential(vendor, "password", user),
    )  # fmt: skip
    trials.connect(access).create("prod/db", CANARY, {})
    made = link(access, devops, key="prod/db", variable="DB")

    done = deploy(access.cluster, devops)

    assert done.status == "succeeded", lines(done)
    assert value_of(sandbox_cluster, made) == CANARY
    assert vendor["passwords"][user] not in str(sandbox_cluster.list("Secret"))
    vendor.plant("reset")
    with pytest.raises(reading_values.Failed, match="422"):
        read(sandbox_cluster, access, "prod/db")
