"""Managers that fail: what is said, what is on record, that nothing is sent twice, and that no value is anywhere."""

import logging
import os
import threading

import pytest
from django.db import connection, connections

from accesses import providers
from accounts.audit import services as audit
from accounts.models import AuditEvent
from external_secrets.models import InventoryEntry, InventoryState
from external_secrets.writing import services
from tests import factories
from tests.test_canary import tables

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db(transaction=True)]

CANARY = "canary-5c1d77-value"


@pytest.fixture
def client(sign_in, devops):
    return sign_in(devops)


@pytest.fixture
def at(url, access):
    return lambda page: f"{url(page)}?access={access.pk}&name=written/db"


def post(client, at, page):
    body = {"new": {"name": "db", "value": CANARY}, "version": {"value": CANARY}, "tags": {"tags": "a=b"},
            "delete": {"name": "written/db"}, "restore": {}}[page]  # fmt: skip
    return client.post(at(page), body)


def actions():
    return list(
        AuditEvent.objects.filter(action__startswith="secret.")
        .order_by("sequence")
        .values_list("action", flat=True)
    )


UNKNOWN = ["secret.write_begun", "secret.write_unknown"]
FAILED = ["secret.write_begun", "secret.write_failed"]


@pytest.mark.parametrize("page", ["new", "version", "tags", "delete", "restore"])
@pytest.mark.parametrize(
    ("how", "ended"), [("cut", UNKNOWN), ("500", UNKNOWN), ("denied", FAILED), ("throttled", FAILED)]
)
def test_it_is_sent_once_and_the_value_is_nowhere(client, at, access, failing, caplog, page, how, ended):
    manager = failing(how)

    with caplog.at_level(logging.DEBUG):
        for name in ("botocore", "boto3", "urllib3", "django"):
            caplog.set_level(logging.DEBUG, logger=name)
        response = post(client, at, page)

    assert response.status_code == 422
    assert len(manager.writes) == 1
    assert actions() == ended
    assert not InventoryEntry.objects.exists()
    assert ("may have been written" in response.content.decode()) is (ended is UNKNOWN)
    text = caplog.text + response.content.decode() + str(response.headers) + str(dict(client.session))
    assert CANARY not in text
    assert [table for table, rows in tables().items() if CANARY in rows] == []


def test_an_answer_that_does_not_come_is_not_taken_for_a_no(client, at, access, failing, monkeypatch):
    from credentials.clouds.aws import asking

    usual = asking._config
    monkeypatch.setattr(asking, "_config", lambda **given: usual(**(given | {"read_timeout": 1})))
    manager = failing("hang")

    response = post(client, at, "new")

    assert len(manager.writes) == 1
    assert "It may have been written" in response.content.decode()
    assert actions() == UNKNOWN


def test_a_permission_that_is_missing_is_said_with_the_policy(client, at, access, failing):
    failing("denied")

    text = post(client, at, "new").content.decode()

    assert "The identity lacks secretsmanager:CreateSecret." in text
    assert "secretsmanager:PutSecretValue" in text


def test_where_there_is_no_connection_nothing_was_sent(client, at, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    response = post(client, at, "new")

    assert "Nothing was sent." in response.content.decode()
    assert actions() == FAILED


def test_who_cannot_sign_in_has_sent_nothing(client, at, access, failing):
    manager = failing("cut")
    access.credential = None
    access.save()

    response = post(client, at, "new")

    assert response.status_code == 422
    assert manager.seen == []
    assert actions() == FAILED


class _Manager:
    """Does as a test says in the place of a secret manager; `seen` is what another connection finds meanwhile."""

    def __init__(self, act):
        self.act = act

    def create(self, name, value, tags):
        return self.act(name)


def test_the_attempt_is_on_record_for_others_before_it_is_sent(access, devops, monkeypatch):
    seen = []

    def look(name):
        def other():
            seen.extend(actions())
            connections.close_all()

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        return f"arn:{name}"

    monkeypatch.setattr("accesses.services.connect", lambda access: _Manager(look))

    services.create(access=access, name="db", value=CANARY, tags={}, reach=("",), by=devops)

    assert seen == ["secret.write_begun"]
    assert actions() == ["secret.write_begun", "secret.created"]


def test_a_console_that_dies_while_it_waits_has_said_what_it_was_about_to_do(access, devops, monkeypatch):
    def die(name):
        os._exit(9)

    monkeypatch.setattr("accesses.services.connect", lambda access: _Manager(die))
    connection.close()
    child = os.fork()
    if child == 0:
        connections.close_all()
        services.create(access=access, name="db", value=CANARY, tags={}, reach=("",), by=devops)
        os._exit(0)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 9
    event = AuditEvent.objects.get(action__startswith="secret.")
    assert event.action == "secret.write_begun"
    assert event.details["name"] == "written/db"
    assert CANARY not in str(event.details)


def test_a_log_that_cannot_be_written_stops_the_write(access, devops, monkeypatch):
    sent = []

    def refuse(**given):
        raise RuntimeError("no log")

    monkeypatch.setattr("accesses.services.connect", lambda access: _Manager(sent.append))
    monkeypatch.setattr(audit, "record", refuse)

    with pytest.raises(RuntimeError):
        services.create(access=access, name="db", value=CANARY, tags={}, reach=("",), by=devops)

    assert sent == []


def test_of_two_who_create_the_same_one_is_refused(writable, devops, owner, cloud):
    ended: list[str] = []

    def act(by, value):
        try:
            services.create(access=writable, name="db", value=value, tags={}, reach=("",), by=by)
            ended.append(value)
        except providers.AlreadyThere:
            ended.append("refused")
        finally:
            connections.close_all()

    people = [(devops, "first"), (owner, "second")]
    threads = [threading.Thread(target=act, args=one) for one in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert "refused" in ended
    assert cloud.value("written/db") in ended
    assert InventoryEntry.objects.filter(access=writable, name="written/db").count() == 1
    assert InventoryState.objects.get(access=writable).entries == 1


def test_a_reading_at_work_does_not_take_it_away_again(access, devops, monkeypatch, asked):
    from django.utils import timezone

    from external_secrets import inventory

    turn = inventory._Turn.take(access)
    monkeypatch.setattr("accesses.services.connect", lambda access: _Manager(lambda name: f"arn:{name}"))

    services.create(access=access, name="db", value=CANARY, tags={}, reach=("",), by=devops)

    with pytest.raises(inventory.Superseded):
        turn.update(read_at=timezone.now())
    assert asked == [str(access.pk)]
    assert InventoryEntry.objects.filter(name="written/db").exists()


def test_writing_that_was_ended_a_moment_ago_is_ended(access, devops):
    factories.make_entry(access, "written/db")
    type(access).objects.filter(pk=access.pk).update(writes=False)

    with pytest.raises(services.NotAllowed, match="only reads"):
        services.put(access=access, name="written/db", value=CANARY, by=devops)

    assert actions() == []
