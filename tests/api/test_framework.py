"""What all calls of the API have in common: who may, what an error looks like, pages, limits."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ApiToken, AuditEvent, Membership
from tests import factories
from tests.api.conftest import Caller

pytestmark = pytest.mark.django_db
PROBLEM = "application/problem+json"


def assert_problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    document: dict[str, Any] = response.json()
    assert response.status_code == status
    assert response.headers["Content-Type"] == PROBLEM
    assert document["status"] == status
    assert document["type"] == f"urn:keyhaven:problem:{kind}"
    assert document["request_id"] == response.headers["X-Request-Id"]
    return document


def test_a_token_of_a_member_sees_what_the_member_sees(organization, viewer, call_as):
    factories.make_cluster(organization=organization, name="prod")

    response = call_as(viewer).get("/clusters")

    assert response.status_code == 200
    assert [item["name"] for item in response.json()["items"]] == ["prod"]
    assert "kubeconfig" not in response.json()["items"][0]


def test_nobody_is_let_in_without_a_token(organization, owner, client):
    client.force_login(owner)

    with_a_session = client.get("/api/v1/organizations/acme/clusters")

    assert_problem(with_a_session, 401, "unauthorized")
    assert with_a_session.headers["WWW-Authenticate"].startswith("Bearer")
    for value in ("", "khp_", "khp_" + "x" * 43, "x" * 5000, "khp_é"):
        headers = {"Authorization": f"Bearer {value}"}
        assert Client().get("/api/v1/organizations/acme/clusters", headers=headers).status_code == 401


def test_what_ends_a_token_ends_it_at_once(organization, viewer, call_as):
    call = call_as(viewer)
    token, membership = ApiToken.objects.get(), Membership.objects.get(user=viewer)
    answers = {"before": call.get("/clusters").status_code}

    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    answers["expired"] = call.get("/clusters").status_code
    ApiToken.objects.update(expires_at=None, revoked_at=timezone.now())
    answers["revoked"] = call.get("/clusters").status_code
    ApiToken.objects.update(revoked_at=None)
    type(viewer).objects.filter(pk=viewer.pk).update(is_active=False)
    answers["inactive"] = call.get("/clusters").status_code
    type(viewer).objects.filter(pk=viewer.pk).update(is_active=True)
    answers["again"] = call.get("/clusters").status_code
    membership.delete()
    answers["removed"] = call.get("/clusters").status_code

    assert answers == {
        "before": 200,
        "expired": 401,
        "revoked": 401,
        "inactive": 401,
        "again": 200,
        "removed": 401,
    }
    assert not ApiToken.objects.filter(pk=token.pk).exists()


def test_a_token_is_of_one_organization_though_its_owner_is_in_two(organization, viewer):
    other = factories.make_organization(slug="globex")
    Membership.objects.create(organization=other, user=viewer, roles=["owner"])
    value = factories.make_token(viewer, organization)

    there, nowhere = Caller(value, "globex").get("/clusters"), Caller(value, "nowhere").get("/clusters")

    assert_problem(there, 404, "not-found")
    assert there.json() | {"request_id": ""} == nowhere.json() | {"request_id": ""}
    assert not AuditEvent.objects.filter(organization=other).exists()


def test_a_role_that_is_taken_away_counts_on_the_next_call(organization, viewer, call_as):
    call = call_as(viewer)
    before = call.get("/clusters").status_code

    Membership.objects.filter(user=viewer).update(roles=[])

    assert (before, call.get("/clusters").status_code) == (200, 403)


def test_a_refusal_and_the_first_use_are_in_the_audit_log_with_the_token(organization, viewer, call_as):
    call = call_as(viewer, name="ci", roles=[])

    response = call.get("/clusters")
    call.get("/clusters")

    document = assert_problem(response, 403, "forbidden")
    assert document["detail"].startswith("See clusters and services: needs the role")
    events = list(AuditEvent.objects.order_by("sequence"))
    assert [event.action for event in events] == ["permission.refused", "token.used", "permission.refused"]
    for event in events:
        assert event.origin == "api"
        assert event.token == f"ci ({call.value[:10]})"
        assert call.value not in json.dumps(event.details) + event.token
    assert events[0].request_id == response.headers["X-Request-Id"]


def test_a_token_that_is_over_is_written_down_once_an_hour(organization, viewer, call_as):
    call = call_as(viewer, name="ci", revoked_at=timezone.now())

    statuses = {call.get("/clusters").status_code for _ in range(3)}
    call.client.defaults["REMOTE_ADDR"] = "198.51.100.9"
    call.get("/clusters")

    assert statuses == {401}
    events = list(AuditEvent.objects.order_by("sequence"))
    assert [(event.action, event.origin, event.address) for event in events] == [
        ("token.refused", "api", "127.0.0.1"),
        ("token.refused", "api", "198.51.100.9"),
    ]
    assert events[0].details == {"prefix": call.value[:10], "reason": "revoked"}


def test_two_addresses_in_turn_do_not_write_each_time(
    organization, viewer, call_as, django_assert_max_num_queries
):
    call = call_as(viewer)
    for address in ("198.51.100.1", "198.51.100.2"):
        call.client.defaults["REMOTE_ADDR"] = address
        call.get("/clusters")

    with django_assert_max_num_queries(8):
        for address in ("198.51.100.1", "198.51.100.2"):
            call.client.defaults["REMOTE_ADDR"] = address
            call.get("/clusters")

    assert AuditEvent.objects.filter(action="token.used").count() == 2


def test_the_last_use_is_written_at_most_once_a_minute(
    organization, viewer, call_as, django_assert_max_num_queries
):
    call = call_as(viewer)
    call.get("/clusters")
    first = ApiToken.objects.get().last_used_at

    with django_assert_max_num_queries(4):
        call.get("/clusters")

    assert first is not None
    assert ApiToken.objects.get().last_used_at == first
    assert ApiToken.objects.get().last_used_from == "127.0.0.1"


def test_whatever_has_no_call_is_a_problem(organization, owner, call_as):
    call = call_as(owner)

    assert_problem(Client().get("/api/"), 404, "not-found")
    assert_problem(Client().get("/api/v1/"), 404, "not-found")
    assert_problem(Client().post("/api/v2/whatever"), 404, "not-found")
    assert_problem(call.get("/nothing"), 404, "not-found")
    assert_problem(call.get("/clusters/%00"), 404, "not-found")
    assert_problem(call.get("/clusters?q=%00"), 400, "malformed")
    refused = call("DELETE", "/members")
    assert_problem(refused, 405, "method-not-allowed")
    assert refused.headers["Allow"] == "GET"


def test_an_unexpected_error_says_nothing_of_itself(organization, owner, call_as, monkeypatch):
    def explode(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr("clusters.api.cut", explode)
    call = call_as(owner)
    call.client.raise_request_exception = False

    response = call.get("/clusters")

    assert_problem(response, 500, "unexpected")
    assert b"hunter2" not in response.content


def test_an_engine_that_is_away_is_said_to_come_back(organization, owner, call_as, monkeypatch):
    from django.db import OperationalError

    def explode(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr("clusters.api.cut", explode)
    call = call_as(owner)
    call.client.raise_request_exception = False

    response = call.get("/clusters")

    assert_problem(response, 503, "unavailable")
    assert response.headers["Retry-After"] == "5"


def test_pages_follow_each_other_without_a_gap(organization, viewer, call_as):
    names = [factories.make_cluster(organization=organization, name=f"c-{n:02}").name for n in range(7)]
    call, path, seen = call_as(viewer), "/clusters?limit=3&q=c-", []
    while path:
        response = call.get(path)
        seen.append([item["name"] for item in response.json()["items"]])
        link = response.headers.get("Link", "")
        path = link.split(">")[0].partition(call.root)[2]
        assert bool(link) == bool(response.json()["next"])

    assert seen == [names[:3], names[3:6], names[6:]]


def test_a_cursor_is_of_one_list_and_can_not_be_made(organization, viewer, call_as):
    for n in range(2):
        factories.make_cluster(organization=organization, name=f"c-{n}")
    call = call_as(viewer)
    cursor = call.get("/clusters?limit=1").json()["next"]

    for wrong in ("x", cursor[:-1], "WyJhIl0:1:2", "%00"[:2]):
        document = call.get(f"/clusters?cursor={wrong}").json()
        assert (document["status"], document["errors"][0]["field"]) == (422, "cursor")
    assert call.get("/clusters?limit=201").json()["errors"][0]["field"] == "limit"
    assert call.get("/clusters?limit=x").status_code == 422


def test_a_token_runs_out_of_requests_and_gets_them_back(organization, viewer, call_as, settings):
    settings.API_PER_TOKEN = 3
    call = call_as(viewer)

    answers = [call.get("/clusters") for _ in range(5)]

    assert [answer.status_code for answer in answers].count(200) in (3, 4, 5)
    assert answers[0].headers["RateLimit-Policy"] == '"token";q=3;w=60'
    assert answers[0].headers["RateLimit"].startswith('"token";r=2;t=')
    last = answers[-1]
    if last.status_code == 429:
        assert_problem(last, 429, "too-many")
        assert 0 < int(last.headers["Retry-After"]) <= 60


def test_guessing_is_slowed_and_a_valid_token_from_there_is_not(organization, viewer, call_as, settings):
    settings.API_FAILURES = 3
    stranger, call = Caller("khp_" + "x" * 43), call_as(viewer)
    address = {"REMOTE_ADDR": "198.51.100.7"}
    stranger.client.defaults |= address
    call.client.defaults |= address

    guesses = [stranger.get("/clusters").status_code for _ in range(8)]

    assert guesses[:3] == [401, 401, 401]
    assert guesses[-1] == 429
    assert call.get("/clusters").status_code == 200


def test_nothing_is_limited_while_redis_is_away(organization, viewer, call_as, settings):
    settings.API_PER_TOKEN = 1
    call = call_as(viewer)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert [call.get("/clusters").status_code for _ in range(3)] == [200, 200, 200]


def test_the_document_is_limited_too(db, client, settings):
    settings.API_PER_ADDRESS = 2
    client.defaults["REMOTE_ADDR"] = "198.51.100.12"

    statuses = [client.get("/api/v1/openapi.json").status_code for _ in range(6)]

    assert (statuses[0], statuses[-1]) == (200, 429)


def test_the_document_is_for_anybody_and_names_the_permission_of_each_call(db, client):
    document = client.get("/api/v1/openapi.json").json()

    assert document["openapi"] == "3.1.0"
    call = document["paths"]["/api/v1/organizations/{org}/clusters"]["get"]
    assert call["x-permission"] == "cluster:view"
    assert call["security"] == [{"token": []}]
    assert set(call["responses"]) >= {"200", "401", "403", "404", "429", "503"}
    assert list(call["responses"]["404"]["content"]) == [PROBLEM]
