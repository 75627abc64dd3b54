"""The gateway hands out what a link of the access names to who has the access's token, and nothing else to anybody."""

import json
import logging
import uuid

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accesses.gateway import fields
from accesses.models import Access
from accesses.providers import PROVIDERS
from accesses.providers.gateway import tokens as gateway_tokens
from accesses.providers.gateway import ways
from accounts.models import AuditEvent, Organization
from built_in import services
from built_in.models import StoredVersion
from tests import factories
from tests.accesses.gateway import tokens_of_tests

pytestmark = pytest.mark.django_db
CANARY = "canary-7be1-value"
# The same in every process: it stands in the names of tests.
TOKEN = tokens_of_tests.a_token("gateway")


@pytest.fixture(autouse=True)
def _fresh():
    cache.clear()


@pytest.fixture
def access(organization):
    organization.built_in_store = True
    organization.save()
    cluster = factories.make_cluster(organization=organization)
    found = factories.make_access(
        cluster=cluster, provider="built-in", method="gateway", name="own", credential={"token": TOKEN},
        configuration={"gateway_address": "", "gateway_ca": ""},
    )  # fmt: skip
    keep(organization, "prod/db", CANARY)
    link(found, "prod/db")
    return found


def keep(organization, name, value, **tags):
    return services.create(organization=organization, name=name, value=value, tags=tags)


def link(access, key, **more):
    service = factories.make_service(cluster=access.cluster)
    return factories.make_link(service=service, access=access, key=key, **more)


def ask(access, name="prod/db", token=TOKEN, pk=None, client=None, **query):
    url = reverse("gateway", kwargs={"access": pk or access.pk})
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return (client or Client()).get(
        url, {"name": name, "version": "", "property": ""} | query, headers=headers
    )


def test_a_linked_secret_is_handed_out_and_stored_by_nobody(access):
    response = ask(access)

    assert (response.status_code, response.json()) == (200, {"value": CANARY})
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers
    assert not response.cookies


@pytest.mark.parametrize(
    "token",
    [None, "", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), tokens_of_tests.a_token("another"), "ü"],
    ids=["none", "empty", "short", "cut", "longer", "upper", "another", "odd"],
)
def test_an_unknown_access_and_a_wrong_token_are_answered_alike(access, token):
    wrong, unknown = ask(access, token=token), ask(access, token=token, pk=uuid.uuid4())

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content
    changing = {"X-Request-Id"}
    assert {k: v for k, v in wrong.headers.items() if k not in changing} == {
        k: v for k, v in unknown.headers.items() if k not in changing
    }


def test_an_access_without_a_token_lets_nobody_in(access):
    access.credential = {}
    access.save()

    assert [ask(access, token=token).status_code for token in (None, "", TOKEN)] == [401, 401, 401]


def test_a_token_of_another_access_opens_nothing(access):
    other = factories.make_access(
        cluster=access.cluster,
        provider="built-in",
        method="gateway",
        credential={"token": gateway_tokens.new()},
    )
    link(other, "prod/db")

    assert ask(other).status_code == 401


def test_an_access_of_another_provider_is_not_there(access):
    Access.objects.filter(pk=access.pk).update(provider="aws-secrets-manager")

    assert ask(access).status_code == 401


@pytest.mark.parametrize(
    "name", ["prod/other", "prod/none", "", "prod/db ", "PROD/DB", "prod/db\x00", "%", "prod/d"]
)
def test_what_no_link_names_is_refused_alike_whether_it_is_there_or_not(access, name):
    keep(access.cluster.organization, "prod/other", "other")

    response = ask(access, name)

    assert response.status_code == 403
    assert response.json() == {"error": "No link of this access names that."}


def test_only_the_version_and_the_field_that_a_link_names_are_handed_out(access):
    organization = access.cluster.organization
    keep(organization, "prod/json", json.dumps({"user": "shop", "password": CANARY}))
    services.put(organization=organization, name="prod/json", value=json.dumps({"password": "second"}))
    link(access, "prod/json", json_field="password", version="1")

    statuses = {
        (version, field): ask(access, "prod/json", version=version, property=field).status_code
        for version in ("", "1", "2") for field in ("", "password", "user")
    }  # fmt: skip

    assert {key for key, status in statuses.items() if status == 200} == {("1", "password")}
    assert set(statuses.values()) == {200, 403}
    assert ask(access, "prod/json", version="1", property="password").json() == {"value": CANARY}


def test_a_prefix_and_tags_narrow_it_further(access):
    Access.objects.filter(pk=access.pk).update(prefix="staging/")
    outside = ask(access).status_code
    Access.objects.filter(pk=access.pk).update(prefix="prod/", only_tagged=True, tags={"team": "shop"})
    untagged = ask(access).status_code
    services.tag(organization=access.cluster.organization, name="prod/db", tags={"team": "shop"})

    assert (outside, untagged, ask(access).status_code) == (403, 403, 200)


def test_a_deleted_secret_is_gone_and_comes_back(access):
    organization = access.cluster.organization
    services.delete(organization=organization, name="prod/db")
    gone = ask(access).status_code
    services.restore(organization=organization, name="prod/db")

    assert (gone, ask(access).status_code) == (404, 200)


def test_what_is_wrong_with_the_store_is_never_taken_for_a_deletion(access):
    """After 404 the operator may delete what the cluster has."""
    link(access, "prod/db", version="7")
    StoredVersion.objects.update(number=2)
    moved = ask(access).status_code
    no_version = ask(access, version="7").status_code
    Organization.objects.update(built_in_store=False)

    assert (moved, no_version, ask(access).status_code) == (502, 422, 502)


def test_a_missing_field_says_nothing_of_the_value(access):
    link(access, "prod/db", json_field="password")

    response = ask(access, property="password")

    assert response.status_code == 422
    assert CANARY not in response.content.decode()


def test_only_get_is_answered_and_no_session_is_looked_at(access, owner):
    url = reverse("gateway", kwargs={"access": access.pk})
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)

    statuses = {
        method: client.generic(method, url, headers={"Authorization": f"Bearer {TOKEN}"}).status_code
        for method in ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
    }

    # 403 is that of a form without a token, which comes first.
    assert set(statuses.values()) == {403, 405}
    assert statuses["HEAD"] == statuses["OPTIONS"] == 405
    assert ask(access, token=None, client=client).status_code == 401


def test_an_access_that_asks_too_often_is_held_up_and_told_for_how_long(access, settings):
    settings.GATEWAY_PER_ACCESS = 3

    answers = [ask(access) for _ in range(5)]

    assert [one.status_code for one in answers][:3] == [200, 200, 200]
    assert answers[-1].status_code == 429
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


def test_who_guesses_is_held_up_and_who_has_the_token_is_not(access, settings):
    settings.GATEWAY_FAILURES = 3

    guesses = [ask(access, token=f"guess-{number}").status_code for number in range(6)]

    assert guesses == [401, 401, 401, 429, 429, 429]
    assert ask(access).status_code == 200


def test_the_log_tells_each_version_once_a_day_and_a_guess_once_an_hour(access):
    for _ in range(3):
        ask(access)
        ask(access, token="guess")
    services.put(organization=access.cluster.organization, name="prod/db", value="second")
    ask(access)

    read = AuditEvent.objects.filter(action="gateway.read").order_by("sequence")
    assert [event.details for event in read] == [
        {"secret": "prod/db", "version": 1},
        {"secret": "prod/db", "version": 2},
    ]
    assert {event.target_name for event in read} == {"own"}
    assert AuditEvent.objects.filter(action="gateway.refused").count() == 1


def test_without_the_log_nothing_is_handed_out(access, monkeypatch):
    from accounts.audit import services as audit

    def fail(**_):
        raise RuntimeError("no log")

    with monkeypatch.context() as patch:
        patch.setattr(audit, "record", fail)
        failed = ask(access, client=Client(raise_request_exception=False))
    done = ask(access)

    assert failed.status_code == 500
    assert CANARY not in failed.content.decode()
    assert done.status_code == 200
    assert AuditEvent.objects.filter(action="gateway.read").count() == 1


def test_no_token_and_no_value_is_told_anywhere(access, caplog, settings):
    settings.DEBUG = True
    StoredVersion.objects.filter(number=1).count()
    with caplog.at_level(logging.DEBUG):
        ask(access)
        ask(access, name="prod/none")
        ask(access, token=TOKEN[:-1])
        settings.FIELD_ENCRYPTION_KEY = []
        broken = ask(access, pk=uuid.uuid4(), client=Client(raise_request_exception=False))

    told = caplog.text + broken.content.decode() + "".join(map(str, AuditEvent.objects.values()))
    assert CANARY not in told
    assert TOKEN[4:-1] not in told


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("password", "p"), ("db.user", "shop"), ("a.b", "dotted"), ("hosts.1", "two"), ("port", "5432"), ("share", "0.10"),
        ("on", "true"), ("none", ""), ("hosts", '["one","two"]'), ("db", '{"user":"shop","ü":1}'), ("c\\.d.e", "deep"),
        ("st\\*r", "star"), ("big", "123456789012345678901234567890"),
    ],
)  # fmt: skip
def test_a_field_is_taken_as_the_operator_would(path, value):
    text = json.dumps(
        {"password": "p", "db": {"user": "shop", "ü": 1}, "a.b": "dotted", "a": {"b": "nested"}, "hosts": ["one", "two"],
         "port": 5432, "on": True, "none": None, "c.d": {"e": "deep"}, "st*r": "star", "big": 123456789012345678901234567890}
    )  # fmt: skip
    text = text[:-1] + ', "share": 0.10}'

    assert fields.take(text, path) == value


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("no json", "a"),
        ("{}", "a"),
        ('{"a": 1}', "a.b"),
        ('["x"]', "1"),
        ("[" * 100_000, "0"),
        ("", "a"),
        ("null", "a"),
    ],
)
def test_a_field_that_is_not_there_is_refused(text, path):
    with pytest.raises(fields.NoField):
        fields.take(text, path)


def test_what_is_read_through_the_console_says_so():
    through = {slug for slug, one in PROVIDERS.items() if one.store_provider is ways.store}

    assert {slug for slug, one in PROVIDERS.items() if one.hands_out} == through
    assert {slug for slug, one in PROVIDERS.items() if one.keeps} == {"built-in"}
