"""The pages that write secrets, against a real OpenBao: both versions of the engine."""

import json
from typing import Any

import pytest

from accounts.models import AuditEvent
from sandbox.openbao import Refused
from tests import factories
from tests.accesses.worlds import vault as world

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

VALUE = "canary-5d20-value"
NAME = "pages/db"


@pytest.fixture
def browser(sign_in, devops):
    return sign_in(devops)


@pytest.fixture
def make(cluster, openbao):
    def act(**fields: Any) -> Any:
        return factories.make_access(
            cluster=cluster,
            provider="vault",
            method="approle",
            configuration=world.configuration(openbao, "approle") | fields,
            credential={name: openbao.keys["writer"][name] for name in world.FIELDS["approle"]},
            namespaces=["shop"],
            prefix="pages/",
            tags={"team": "shop"},
            writes=True,
        )

    yield act
    openbao.ask("DELETE", f"secret/metadata/{NAME}")
    openbao.ask("DELETE", f"kv/{NAME}")


def address(url: Any, page: str, access: Any) -> str:
    return f"{url(page)}?access={access.pk}&name={NAME}"


def test_version_2_keeps_versions_and_tags_and_brings_back(browser, url, make, openbao):
    access = make()
    fields = json.dumps({"user": "shop", "password": VALUE})

    page = browser.get(address(url, "new", access)).content.decode()
    made = browser.post(address(url, "new", access), {"name": "db", "value": VALUE})
    first = openbao.value(NAME)
    renewed = browser.post(address(url, "version", access), {"value": fields})
    second = openbao.value(NAME)
    tags = openbao.ask("GET", f"secret/metadata/{NAME}")["data"]["custom_metadata"]
    deleted = browser.post(address(url, "delete", access), {"name": NAME})
    with pytest.raises(Refused):
        openbao.value(NAME)
    restored = browser.post(address(url, "restore", access))

    assert [one.status_code for one in (made, renewed, deleted, restored)] == [302] * 4
    assert "NAME#value" in page
    assert (first, second, tags) == ({"value": VALUE}, json.loads(fields), {"team": "shop"})
    assert openbao.value(NAME) == second
    said = [event.details for event in AuditEvent.objects.filter(action__startswith="secret.")]
    assert said
    assert VALUE not in repr(said)


def test_version_1_says_what_it_cannot_and_writes_without(browser, url, make, openbao):
    access = make(mount="kv", version="1")

    page = browser.get(address(url, "new", access)).content.decode()
    made = browser.post(address(url, "new", access), {"name": "db", "value": VALUE})
    first = openbao.value(NAME, mount="kv")
    question = browser.get(address(url, "delete", access)).content.decode()
    deleted = browser.post(address(url, "delete", access), {"name": NAME})

    assert (made.status_code, deleted.status_code) == (302, 302)
    assert "no versions and no tags" in page
    assert first == {"value": VALUE}
    assert "cannot be restored" in question
    with pytest.raises(Refused):
        openbao.value(NAME, mount="kv")


def test_one_that_only_reads_is_told_which_policy_is_missing(browser, url, make, openbao):
    access = make()
    access.credential = {name: openbao.keys["reader"][name] for name in world.FIELDS["approle"]}
    access.save()

    answer = browser.post(address(url, "new", access), {"name": "db", "value": VALUE})

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "create and update on secret/metadata/" in page
    assert VALUE not in page


@pytest.mark.parametrize(("value", "field"), [(VALUE, "value"), (json.dumps({"user": "shop"}), "")])
def test_a_text_is_linked_by_the_field_that_it_becomes(browser, url, make, value, field):
    access = make()

    made = browser.post(address(url, "new", access), {"name": "db", "value": value})
    page = browser.get(made.headers["Location"])
    form = browser.get(f"{url('link')}?access={access.pk}&key={NAME}&json_field={field}").context["form"]

    assert page.context["field"] == field
    assert (f"key={NAME.replace('/', '%2F')}&amp;json_field=value" in page.content.decode()) is bool(field)
    assert form.initial["json_field"] == field
    assert form.initial["variable"] == "DB"
