"""The API's calls on rotations, with a token."""

import datetime
from typing import Any

import pytest

from clusters.models import Deploy
from clusters.rotations import making, moving, retiring
from tests.api.conftest import call_as  # noqa: F401  fixture
from tests.clusters.rotations.conftest import ran

pytestmark = pytest.mark.django_db
PATH = "/credentials/aws-prod/rotations"


@pytest.fixture
def call(call_as, admin):  # noqa: F811
    return call_as(admin)


def test_a_whole_rotation(call, credential, prod, user, messages, monkeypatch):
    monkeypatch.setattr(retiring, "GRACE", datetime.timedelta(0))
    second = user.make_key()

    begun = call.post(PATH, {"values": second})
    one = f"{PATH}/{begun.json()['id']}"
    deployed = call.post(f"{one}/deploys").json()
    Deploy.objects.all().delete()
    ran(prod)
    moving.settle_all()
    call.post(f"{one}/retire", {"act": "ask"})
    disabled = call.post(f"{one}/retire", {"act": "disable"}).json()
    done = call.post(f"{one}/retire", {"act": "delete"})

    assert begun.status_code == 201, begun.content
    assert begun.json()["new_key"] == second["access_key_id"]
    assert [(move["cluster"], move["state"]) for move in deployed["clusters"]] == [("prod", "deploying")]
    assert (disabled["old"], disabled["doubt"]) == ("disabled", "")
    assert done.json()["status"] == "done"
    assert user.statuses() == {second["access_key_id"]: "Active"}
    assert [row["status"] for row in call.get(PATH).json()["items"]] == ["done"]


def test_the_console_makes_the_key_and_it_is_taken_back(
    call, credential, prod, user, messages, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        begun = call.post(PATH, {"make": True}).json()
    making.make(**messages[0])
    made = call.get(f"{PATH}/{begun['id']}").json()
    undone = call.post(f"{PATH}/{begun['id']}/take-back").json()

    assert [begun["status"], made["status"], undone["status"]] == ["making", "moving", "undone"]
    assert user.statuses() == {user.first["access_key_id"]: "Active"}


def test_a_second_one_is_a_conflict_and_wrong_values_are_invalid(call, credential, prod, user, messages):
    second = user.make_key()

    wrong = call.post(PATH, {"values": second | {"secret_access_key": "w" * 40}})
    unknown = call.post(PATH, {"values": second | {"partition": "aws-cn"}})
    call.post(PATH, {"values": second})
    again = call.post(PATH, {"values": user.first})
    change = call(
        "PATCH", "/credentials/aws-prod", {"version": 2, "values": {"partition": "aws", **user.first}}
    )

    assert [answer.status_code for answer in (wrong, unknown, again, change)] == [422, 422, 409, 409]
    assert "w" * 40 not in wrong.content.decode()
    assert "is rotating aws-prod already" in again.json()["detail"]


def test_a_token_that_may_not_deploy_is_told_so(
    call,
    call_as,  # noqa: F811
    credential,
    prod,
    user,
    viewer,
    messages,
):
    begun: Any = call.post(PATH, {"values": user.make_key()}).json()

    answer = call_as(viewer).post(f"{PATH}/{begun['id']}/deploys").json()

    assert answer["problems"] == ["prod: the token may not deploy it."]
    assert not Deploy.objects.filter(status="queued").exists()
