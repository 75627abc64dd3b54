"""`Idempotency-Key`: once is once, also when two come together, and no body is kept."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.authority import Authority, custom
from accounts.models import ApiToken, AuditEvent, IdempotencyKey
from config.api import calls as framework
from config.api import idempotency
from config.api.problems import Problem
from tests import factories
from tests.api.conftest import Caller

BODY = {"name": "pipeline", "roles": ["viewer"]}


@pytest.fixture
def call(organization: Any, admin: Any) -> Caller:
    return Caller(factories.make_token(admin, organization))


def kind_of(response: Any) -> str:
    return str(response.json()["type"]).rpartition(":")[2]


def made() -> int:
    return ApiToken.objects.filter(name="pipeline").count()


@pytest.mark.django_db
def test_an_answer_with_a_secret_is_given_once_and_not_kept(call):
    first = call.post("/tokens", BODY, **{"Idempotency-Key": "a"})
    again = call.post("/tokens", BODY, **{"Idempotency-Key": "a"})

    assert (first.status_code, again.status_code, made()) == (201, 409, 1)
    assert kind_of(again) == "carried-out"
    kept = IdempotencyKey.objects.get()
    assert kept.answer is None
    value = first.json()["value"]
    assert value not in repr(IdempotencyKey.objects.values())
    assert len(kept.digest) == 64


@pytest.mark.django_db
def test_a_key_is_good_for_one_call(call):
    call.post("/tokens", BODY, **{"Idempotency-Key": "a"})

    other_body = call.post("/tokens", BODY | {"name": "other"}, **{"Idempotency-Key": "a"})
    other_key = call.post("/tokens", BODY, **{"Idempotency-Key": "b"})
    no_key = [call.post("/tokens", BODY).status_code for _ in range(2)]

    assert (other_body.status_code, kind_of(other_body)) == (422, "key-reused")
    assert other_key.status_code == 201
    assert no_key == [201, 201]
    assert call.post("/tokens", BODY, **{"Idempotency-Key": "x" * 201}).status_code == 400


@pytest.mark.django_db
def test_a_key_is_of_one_token(organization, owner, call):
    call.post("/tokens", BODY, **{"Idempotency-Key": "a"})
    other = Caller(factories.make_token(owner, organization))

    assert other.post("/tokens", BODY, **{"Idempotency-Key": "a"}).status_code == 201


@pytest.mark.django_db
def test_who_has_lost_a_right_is_not_given_the_answer_again(organization, admin):
    cluster = factories.make_cluster(organization=organization, name="staging")
    role = factories.make_role(
        organization, permissions=["cluster:view", "deploy:view", "deploy:run"], clusters=["staging"]
    )
    membership = admin.memberships.get()
    membership.roles = ["viewer"]
    membership.save()
    membership.custom_roles.add(role)
    caller = Caller(factories.make_token(admin, organization, custom_roles=[role]))
    sent, key = {"reason": "a word"}, {"Idempotency-Key": "a"}
    path = f"/clusters/{cluster.name}/deploys"
    first = caller.post(path, sent, **key)
    again = caller.post(path, sent, **key)
    role.permissions, role.namespaces = ["cluster:view"], ["shop"]
    role.save()

    assert (first.status_code, again.status_code) == (201, 201)
    assert caller.post(path, sent, **key).status_code == 403


@pytest.mark.django_db
def test_an_answer_is_of_the_rights_of_its_time(rf, organization, admin):
    """Also where the call's own permission is still held: what it was asked for may be named in its body."""
    factories.make_token(admin, organization)
    request = rf.post("/api/v1/x", b"{}", "application/json", headers={"Idempotency-Key": "a"})
    request.token, request.resolver_match = ApiToken.objects.get(), None
    there, elsewhere = (custom("Role", ["cluster:manage"], clusters=[name]) for name in ("one", "two"))
    request.authority = Authority(((there,),))
    idempotency.once(request, lambda: framework.HttpResponse(b"{}", "application/json", 201), keep=True)
    request.authority = Authority(((elsewhere,),))

    with pytest.raises(Problem) as refused:
        idempotency.once(request, lambda: framework.HttpResponse(b"{}"), keep=True)

    assert refused.value.status == 403


@pytest.mark.django_db
def test_what_failed_may_be_tried_again_with_its_key(call):
    wrong = call.post("/tokens", BODY | {"roles": ["owner"]}, **{"Idempotency-Key": "a"})
    right = call.post("/tokens", BODY, **{"Idempotency-Key": "a"})

    assert (wrong.status_code, right.status_code) == (422, 201)


@pytest.mark.django_db
def test_a_key_is_forgotten_after_a_day(call):
    call.post("/tokens", BODY, **{"Idempotency-Key": "a"})
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))

    assert call.post("/tokens", BODY, **{"Idempotency-Key": "a"}).status_code == 201
    assert IdempotencyKey.objects.count() == 1


@pytest.mark.django_db
def test_an_answer_without_a_secret_is_given_again(rf, organization, admin):
    """Straight to the module: which calls keep their answers is theirs to say."""
    value = factories.make_token(admin, organization)
    request = rf.post("/api/v1/x", b"{}", "application/json", headers={"Idempotency-Key": "a"})
    request.token, request.resolver_match = ApiToken.objects.get(), None
    request.authority = request.token.authority
    done = []

    def act() -> Any:
        done.append(1)
        return framework.HttpResponse(b'{"n": 1}', "application/json", 201)

    first, second = (idempotency.once(request, act, keep=True) for _ in range(2))

    assert value
    assert (len(done), first.content, first.status_code) == (1, second.content, second.status_code)
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"


@pytest.mark.django_db
def test_a_refusal_inside_a_keyed_call_is_still_written_down(call, monkeypatch):
    from accounts import access
    from accounts.roles import Permission

    def refuse(request: Any, **given: Any) -> None:
        access.write_down(request, Permission.TOKEN_MANAGE)
        raise access.Refused(Permission.TOKEN_MANAGE)

    monkeypatch.setattr("accounts.tokens.api.problems.checked", lambda form: refuse(call.request))
    monkeypatch.setattr("config.api.idempotency._once", lambda request, *a, **k: refuse(request))
    before = AuditEvent.objects.filter(action="permission.refused").count()

    response = call.post("/tokens", BODY, **{"Idempotency-Key": "a"})

    assert response.status_code == 403
    assert AuditEvent.objects.filter(action="permission.refused").count() == before + 1


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_is_carried_out(organization, admin):
    value, answers = factories.make_token(admin, organization), []

    def send() -> None:
        try:
            response = Caller(value).post("/tokens", BODY, **{"Idempotency-Key": "a"})
            answers.append((response.status_code, response.json().get("type", "").rpartition(":")[2]))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made() == 1
    assert sorted(status for status, _ in answers) == [201] + [409] * 5
    assert {kind for _, kind in answers} <= {"", "in-progress", "carried-out"}
