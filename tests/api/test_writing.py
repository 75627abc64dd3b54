"""Writing secrets by the API: the same rules as the pages, without sudo mode."""

import logging
from typing import Any

import pytest

from accounts.models import AuditEvent
from tests import factories
from tests.external_secrets.writing.conftest import cloud as cloud
from tests.external_secrets.writing.conftest import failing as failing
from tests.external_secrets.writing.conftest import keys
from tests.test_canary import tables

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db(transaction=True)]

CANARY = "canary-9d27e0-value"


@pytest.fixture(autouse=True)
def asked(monkeypatch: Any) -> None:
    from external_secrets import tasks

    monkeypatch.setattr(tasks.read_inventory, "delay", lambda access_id: None)


@pytest.fixture
def access(organization: Any) -> Any:
    cluster = factories.make_cluster(organization=organization, name="prod")
    return factories.make_access(
        cluster=cluster, name="aws", prefix="written/", writes=True, tags={"team": "shop"}
    )


@pytest.fixture
def writable(access: Any, cloud: Any) -> Any:
    access.credential = keys(cloud.keys["writer"])
    access.save()
    return access


ONE = "/clusters/prod/accesses/aws/secret"


def test_a_secret_lives_and_comes_back(call_as, devops, writable, cloud):
    call = call_as(devops)

    made = call("POST", f"{ONE}s", {"name": "db", "value": CANARY, "tags": {"stage": "prod"}})
    changed = call("POST", f"{ONE}s/versions?name=written/db", {"value": "second"})
    value = cloud.value("written/db")
    deleted = call("DELETE", f"{ONE}s?name=written/db")
    restored = call("POST", f"{ONE}s/restore?name=written/db")

    assert [one.status_code for one in (made, changed, deleted, restored)] == [201, 201, 200, 200]
    assert made.json() == {"name": "written/db", "cluster": "prod", "access": "aws", "restorable_until": None}
    assert value == "second"
    assert deleted.json()["restorable_until"]
    assert CANARY not in made.content.decode()
    assert [event.origin for event in AuditEvent.objects.filter(action__startswith="secret.")] == ["api"] * 8


def test_what_may_not_be_is_told_by_field(call_as, devops, access):
    call = call_as(devops)
    access.writes = False
    access.save()

    reading = call("POST", f"{ONE}s", {"name": "db", "value": CANARY})
    type(access).objects.update(writes=True)
    wrong = {
        "outside": call("POST", f"{ONE}s", {"name": "../db", "value": CANARY}),
        "tag": call("POST", f"{ONE}s", {"name": "db", "value": CANARY, "tags": {"team": "other"}}),
        "empty": call("POST", f"{ONE}s", {"name": "db", "value": ""}),
        "prefix": call("POST", f"{ONE}s/versions?name=prod/db", {"value": CANARY}),
        "shape": call("POST", f"{ONE}s/versions?name=written/db", {"value": {"a": CANARY}}),
    }

    assert reading.status_code == 422
    assert "only reads" in reading.content.decode()
    assert {name: one.status_code for name, one in wrong.items()} == dict.fromkeys(wrong, 422)
    fields = {name: one.json()["errors"][0]["field"] for name, one in wrong.items()}
    assert fields == {"outside": "name", "tag": "tags", "empty": "value", "prefix": "name", "shape": "value"}
    assert CANARY not in "".join(one.content.decode() for one in wrong.values())
    assert not AuditEvent.objects.filter(action__startswith="secret.").exists()


def test_a_viewer_may_not(call_as, viewer, access):
    assert call_as(viewer)("POST", f"{ONE}s", {"name": "db", "value": CANARY}).status_code == 403


def test_a_token_is_limited_to_names(call_as, organization, access):
    role = factories.make_role(
        organization,
        permissions=["cluster:view", "secret:browse", "secret:write"],
        prefixes=["written/shop/"],
    )
    member = factories.make_member(organization, "viewer")
    member.memberships.get().custom_roles.add(role)
    call = call_as(member, custom_roles=[role])

    assert call("POST", f"{ONE}s", {"name": "db", "value": CANARY}).status_code == 422
    assert call("DELETE", f"{ONE}s?name=written/other").status_code == 404


def test_a_key_is_refused(call_as, devops, access):
    response = call_as(devops)(
        "POST", f"{ONE}s", {"name": "db", "value": CANARY}, **{"Idempotency-Key": "once"}
    )

    assert response.status_code == 400
    assert not AuditEvent.objects.filter(action__startswith="secret.").exists()


@pytest.mark.parametrize(("how", "status", "code"), [
    ("cut", 502, "outcome-unknown"), ("500", 502, "outcome-unknown"), ("denied", 502, "upstream"),
    ("throttled", 429, "too-many"),
])  # fmt: skip
def test_a_manager_that_fails(call_as, devops, access, failing, caplog, how, status, code):
    manager = failing(how)
    call = call_as(devops)

    with caplog.at_level(logging.DEBUG):
        answers = [
            call("POST", f"{ONE}s", {"name": "db", "value": CANARY}),
            call("POST", f"{ONE}s/versions?name=written/db", {"value": CANARY}),
        ]

    assert [one.status_code for one in answers] == [status] * 2
    assert {one.json()["type"].rpartition(":")[2] for one in answers} == {code}
    assert len(manager.writes) == 2
    assert CANARY not in caplog.text + "".join(one.content.decode() for one in answers)
    assert [table for table, rows in tables().items() if CANARY in rows] == []
