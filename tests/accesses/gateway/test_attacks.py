"""What somebody tries at the gateway who has an address, a token of something else, or a way to shape a request."""

import base64
import json

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accesses.providers.gateway import tokens as gateway_tokens
from accounts.models import AuditEvent
from built_in import services
from tests import factories
from tests.accesses.gateway import tokens_of_tests

pytestmark = pytest.mark.django_db
VALUE, OTHERS = "canary-own-4b1d", "canary-others-9e2f"
# The same in every process: it stands in the names of tests.
TOKEN = tokens_of_tests.a_token("gateway")
NO_LINK = {"error": "No link of this access names that."}


@pytest.fixture(autouse=True)
def _fresh():
    cache.clear()


def store(organization, token, value):
    """Return an access to an organization's store with one linked secret, prod/db."""
    organization.built_in_store = True
    organization.save()
    cluster = factories.make_cluster(organization=organization)
    access = factories.make_access(
        cluster=cluster, provider="built-in", method="gateway", credential={"token": token},
        configuration={"gateway_address": "", "gateway_ca": ""},
    )  # fmt: skip
    services.create(organization=organization, name="prod/db", value=value, tags={})
    link(access, "prod/db")
    return access


def link(access, key, **more):
    return factories.make_link(
        service=factories.make_service(cluster=access.cluster), access=access, key=key, **more
    )


@pytest.fixture
def access(organization):
    return store(organization, TOKEN, VALUE)


@pytest.fixture
def others(db):
    return store(factories.make_organization(name="Other", slug="other"), gateway_tokens.new(), OTHERS)


def url(access):
    return reverse("gateway", kwargs={"access": access.pk})


def get(access, query="name=prod/db", authorization=f"Bearer {TOKEN}", **headers):
    return Client().get(f"{url(access)}?{query}", headers={"Authorization": authorization, **headers})


def test_a_token_opens_its_own_access_and_reads_its_own_organizations_store(access, others):
    assert get(others).status_code == 401
    assert get(access).json() == {"value": VALUE}


def test_a_name_of_another_organization_is_as_unknown_as_any(access, others):
    services.create(organization=others.cluster.organization, name="prod/theirs", value=OTHERS, tags={})
    link(access, "prod/theirs")

    theirs = get(access, "name=prod/theirs")

    assert theirs.status_code == 404
    assert OTHERS not in theirs.content.decode()


@pytest.mark.parametrize(
    "authorization",
    [
        TOKEN, f"Token {TOKEN}", f"Bearer {TOKEN}, Bearer x", f"Bearer x {TOKEN}", f"Bearer\t{TOKEN}",
        "Basic " + base64.b64encode(f"x:{TOKEN}".encode()).decode(), f"Bearer {TOKEN}\x00", f"Bearer {'x' * 100_000}",
        "Bearer " + TOKEN.replace("k", "\u212a"), f"Bearer {TOKEN[:-1]}", "Bearer null", "Bearer []",
    ],
)  # fmt: skip
def test_a_token_counts_where_it_belongs_and_as_it_is(access, authorization):
    assert get(access, authorization=authorization).status_code == 401


@pytest.mark.parametrize(
    "query", [f"name=prod/db&token={TOKEN}", f"name=prod/db&access_token={TOKEN}", f"name=prod/db&authorization=Bearer+{TOKEN}"]
)  # fmt: skip
def test_a_token_in_the_address_is_none(access, query):
    assert get(access, query, authorization="").status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        "name=prod%252Fdb", "name=prod%2Fdb%00", "name=prod/db%0a", "name=prod/d%62%20", "name=prod//db", "name=./prod/db",
        "name=prod/../prod/db", "name=PROD/DB", "name=prod%EF%BC%8Fdb", "name=prod/db&version=01x", "name=prod/db&version=-1",
        "name=prod/db&version=%D9%A1", "name=prod/db&version=1", "name=prod/db&version=" + "9" * 5000, "name[]=prod/db",
        "name=prod/db&name=prod/other", "NAME=prod/db", "", "name=%FF%FE", "name=prod/db%ED%A0%80", "name=prod/db&property=.",
        "name=prod/db&property=a", "name=prod/db&property=__class__", "name=prod/db&property=%00", "name=prod/db%23",
        "name=%25", "name=_rod/db", "name=prod/db&version=1.0", "name=prod/db&property=0",
    ],
)  # fmt: skip
def test_a_name_that_is_not_exactly_a_links_gets_nothing(access, query):
    response = get(access, query)

    assert (response.status_code, response.json()) == (403, NO_LINK)


def test_only_links_that_name_one_secret_open_it_and_none_that_was_taken_away(access):
    access.external_secrets.all().delete()
    gone = get(access).status_code
    link(access, "prod/db", takes="path")
    link(access, "prod/", takes="path")
    link(access, "", takes="tags", tags={"team": "x"})

    assert (gone, get(access).status_code) == (403, 403)


def test_no_other_method_is_let_in_by_a_header_that_names_one(access):
    client = Client()
    sent = {"Authorization": f"Bearer {TOKEN}", "X-HTTP-Method-Override": "GET", "X-HTTP-Method": "GET"}

    statuses = {
        method: client.generic(method, f"{url(access)}?name=prod/db&_method=GET", headers=sent).status_code
        for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND")
    }

    assert set(statuses.values()) <= {403, 405}


def test_an_answer_is_whole_and_leaves_nothing_to_compare_it_by(access):
    plain = get(access)
    shaped = get(
        access, **{"Range": "bytes=0-3", "If-None-Match": "*", "If-Modified-Since": "Sat, 01 Jan 2050 00:00:00 GMT",
                   "Accept-Encoding": "gzip, br", "Referer": "https://thief.example/", "Origin": "https://thief.example"}
    )  # fmt: skip

    assert (plain.status_code, shaped.status_code) == (200, 200)
    assert plain.content == shaped.content
    telling = {
        "etag",
        "last-modified",
        "content-range",
        "accept-ranges",
        "content-encoding",
        "access-control-allow-origin",
    }
    assert not telling & {name.lower() for name in shaped.headers}
    assert shaped.headers["Cache-Control"] == "no-store"
    assert shaped.headers["X-Content-Type-Options"] == "nosniff"
    assert shaped.headers["Content-Type"] == "application/json"


def test_an_address_that_a_caller_names_does_not_count_for_another_one(access, settings):
    settings.GATEWAY_FAILURES = 3

    statuses = [
        get(access, authorization="Bearer x", **{"X-Forwarded-For": f"198.51.100.{at}", "Forwarded": f"for=198.51.100.{at}",
                                                 "X-Real-Ip": f"198.51.100.{at}"}).status_code
        for at in range(6)
    ]  # fmt: skip

    assert statuses == [401, 401, 401, 429, 429, 429]


def test_a_request_that_the_server_ends_is_on_record_when_it_comes_again(access, monkeypatch):
    from accounts.audit import services as audit

    def ends(**_):
        raise SystemExit(1)

    with monkeypatch.context() as patch:
        patch.setattr(audit, "record", ends)
        with pytest.raises(SystemExit):
            get(access)

    assert get(access).json() == {"value": VALUE}
    assert AuditEvent.objects.filter(action="gateway.read").count() == 1


@pytest.mark.parametrize(
    "value",
    [
        "[" * 30_000, '{"a":' * 9_000 + "1" + "}" * 9_000, '{"a": 1e999999}', '{"a": NaN}', '{"a": "\\ud800"}',
        '{"a": ' + "9" * 50_000 + "}", '{"a": {"b": ' + "9" * 50_000 + "}}", '{"a": {"b": 1e400}}', '{"a": {"b": "\\udfff"}}',
        '{"a": null, "a": {"__proto__": 1}}', "\ufeff{}", '"a"',
    ],
)  # fmt: skip
def test_a_value_that_is_a_bomb_is_a_field_or_is_refused(access, value):
    organization = access.cluster.organization
    services.create(organization=organization, name="prod/odd", value=value, tags={})
    link(access, "prod/odd", json_field="a")

    response = get(access, "name=prod/odd&property=a")

    assert response.status_code in (200, 422)
    if response.status_code == 200:
        assert isinstance(json.loads(response.content)["value"], str)
