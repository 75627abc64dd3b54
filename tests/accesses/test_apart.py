"""Secret managers that only the cluster reaches: they cannot be tested from here, and are saved all the same."""

import json
from typing import Any

import pytest

from accesses import providers, services, states
from accesses.models import Access, AccessDraft
from accesses.providers import PROVIDERS
from accesses.providers.addresses import AddressField
from accounts.models import AuditEvent
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

# Nobody listens there, as from here nobody listens at an address inside a cluster.
NOWHERE = "http://127.0.0.1:9"
ROOT = "/o/acme/clusters/prod/secret-managers"
OFFER = "ave it without a test"
SECRET_ID = "11111111-2222-4333-8444-555555555555"
SAYS = "Only the cluster reaches this secret manager; the console does not."


def details(**changes: Any) -> dict[str, Any]:
    return {
        "name": "vault", "namespaces": ["shop"], "address": NOWHERE, "mount": "secret", "version": "2",
        "auth_path": "approle", "role_id": "d29810d0-a794-1f45-6f45-dd1293881685", "secret_id": SECRET_ID,
    } | changes  # fmt: skip


def fields(**changes: Any) -> dict[str, Any]:
    return {name: text for name, text in details(**changes).items() if name not in ("name", "namespaces")}


@pytest.fixture
def cluster(organization):
    found = factories.make_cluster(organization=organization, name="prod")
    factories.make_service(cluster=found, namespace="shop", name="api")
    return found


@pytest.fixture
def browser(sign_in, devops):
    return sign_in(devops)


@pytest.fixture
def tested(browser, cluster):
    """A draft whose test got no answer."""
    browser.post(f"{ROOT}/new/")
    draft = AccessDraft.objects.get()
    browser.post(f"{ROOT}/new/{draft.pk}/provider/", {"provider": "vault"})
    browser.post(f"{ROOT}/new/{draft.pk}/authentication/", {"method": "approle"})
    browser.post(f"{ROOT}/new/{draft.pk}/details/", details())
    draft.refresh_from_db()
    return draft


def save(browser: Any, draft: AccessDraft, wish: str) -> Any:
    sent = {"wish": wish, "shown": draft.tested_at.isoformat() if draft.tested_at else ""}
    return browser.post(f"{ROOT}/new/{draft.pk}/test/", sent)


@pytest.fixture
def apart(browser, tested):
    save(browser, tested, "apart")
    return Access.objects.get()


def test_whoever_has_an_address_to_type_is_known():
    typed = {
        slug
        for slug, one in PROVIDERS.items()
        if any(isinstance(method.form.base_fields.get("address"), AddressField) for method in one.methods)
    }
    said = {slug for slug, one in PROVIDERS.items() if one.typed_address}

    # The console itself hands out what is in Elasticsearch; of an HTTP source a whole URL is typed.
    assert said == (typed - {"elasticsearch"}) | {"http"}


def test_without_an_answer_it_can_be_saved_if_somebody_says_so(browser, tested):
    page = browser.get(f"{ROOT}/new/{tested.pk}/test/").content.decode()
    refused = save(browser, tested, "save")

    assert OFFER in page
    assert refused.status_code == 422
    assert not Access.objects.exists()

    saved = save(browser, tested, "apart")

    assert saved.headers["Location"] == f"{ROOT}/vault/"
    assert Access.objects.get().credential["secret_id"] == SECRET_ID


def test_it_is_not_tried_which_its_page_and_the_audit_log_say(browser, apart):
    page = browser.get(f"{ROOT}/vault/").content.decode()

    verified = states.of(apart)[2]
    event = AuditEvent.objects.get(action="access.created")
    assert (verified.word, verified.text) == ("Not tried", SAYS)
    assert SAYS in page
    assert event.details["test"] == "left out: only the cluster reaches it"
    assert SECRET_ID not in json.dumps(event.details)


def test_its_names_are_typed_and_nothing_is_waited_for(browser, apart):
    with pytest.raises(providers.NotPossibleHere) as caught:
        services.connect(apart)

    page = browser.get(f"/o/acme/secrets/?access={apart.pk}")

    assert caught.value.reason == SAYS
    assert SAYS in page.content.decode()


def test_no_answer_is_not_missed_at_the_next_test(apart, devops):
    result = services.verify(apart, by=devops)

    apart.refresh_from_db()
    assert result.untried
    assert apart.verified_error == ""
    assert states.of(apart)[2].word == "Not tried"


def test_an_answer_ends_it(apart, devops, openbao):
    apart.configuration |= {"address": openbao.url, "ca": openbao.ca}
    keys = openbao.keys["reader"]
    apart.credential = {"role_id": keys["role_id"], "secret_id": keys["secret_id"]}
    apart.save()

    result = services.verify(apart, by=devops)

    apart.refresh_from_db()
    assert result.listed
    assert states.of(apart)[2].word == "Verified"
    services.connect(apart)


def test_one_that_answers_and_refuses_is_not_saved_so(browser, tested, openbao):
    browser.post(f"{ROOT}/new/{tested.pk}/details/", details(address=openbao.url, ca=openbao.ca))
    tested.refresh_from_db()

    page = browser.get(f"{ROOT}/new/{tested.pk}/test/").content.decode()
    refused = save(browser, tested, "apart")

    assert OFFER not in page
    assert refused.status_code == 422
    assert not Access.objects.exists()


def test_one_without_a_typed_address_is_not_saved_so(browser, cluster, settings):
    settings.AWS_ENDPOINT_URL = NOWHERE
    browser.post(f"{ROOT}/new/")
    draft = AccessDraft.objects.get()
    browser.post(f"{ROOT}/new/{draft.pk}/provider/", {"provider": "aws-secrets-manager"})
    browser.post(f"{ROOT}/new/{draft.pk}/authentication/", {"method": "static"})
    keys = {"access_key_id": "AKIATESTTESTTESTTEST", "secret_access_key": "s" * 40}
    browser.post(
        f"{ROOT}/new/{draft.pk}/details/",
        {"name": "aws", "region": "eu-west-3", "namespaces": ["shop"]} | keys,
    )
    draft.refresh_from_db()

    page = browser.get(f"{ROOT}/new/{draft.pk}/test/").content.decode()
    refused = save(browser, draft, "apart")

    assert not draft.result["usable"]
    assert OFFER not in page
    assert refused.status_code == 422


def test_an_edit_asks_and_keeps_what_was_said(browser, cluster, openbao):
    keys = openbao.keys["reader"]
    place = {"address": openbao.url, "ca": openbao.ca, "namespace": "", "mount": "secret", "version": "2"}
    access = factories.make_access(
        cluster=cluster, name="vault", provider="vault", method="approle",
        configuration=place | {"auth_path": "approle"},
        credential={"role_id": keys["role_id"], "secret_id": keys["secret_id"]},
    )  # fmt: skip
    sent = fields() | {"namespaces": ["shop"], "seen": "1"}

    refused = browser.post(f"{ROOT}/vault/edit/", sent)
    changed = browser.post(f"{ROOT}/vault/edit/", sent | {"apart": "on"})

    access.refresh_from_db()
    again = browser.get(f"{ROOT}/vault/edit/").content.decode()
    event = AuditEvent.objects.get(action="access.changed")
    assert refused.status_code == 422
    assert OFFER in refused.content.decode()
    assert changed.status_code == 302
    assert access.configuration["address"] == NOWHERE
    assert states.of(access)[2].word == "Not tried"
    assert event.details["test"] == "left out: only the cluster reaches it"
    assert 'id="id_apart" value="on" aria-describedby="id_apart-hint" checked' in again


def test_the_api_takes_it_by_a_field(cluster, devops, organization, client):
    token = factories.make_token(devops, organization)
    path = "/api/v1/organizations/acme/clusters/prod/accesses"
    sent = {
        "provider": "vault",
        "method": "approle",
        "name": "vault",
        "namespaces": ["shop"],
        "fields": fields(),
    }

    def call(method: str, to: str, body: dict[str, Any]) -> Any:
        data = {"data": json.dumps(body), "content_type": "application/json"}
        return client.generic(method, to, headers={"Authorization": f"Bearer {token}"}, **data)

    refused = call("POST", path, sent)
    made = call("POST", path, sent | {"only_cluster_reaches": True})
    again = {name: fields()[name] for name in ("role_id", "secret_id")}
    elsewhere = {"version": 1, "fields": {"address": "http://127.0.0.1:8", **again}}
    missed = call("PATCH", f"{path}/vault", elsewhere)
    changed = call("PATCH", f"{path}/vault", elsewhere | {"only_cluster_reaches": True})

    assert refused.status_code == 422
    assert made.status_code == 201, made.content
    assert made.json()["only_cluster_reaches"] is True
    assert made.json()["test"]["reason"] == SAYS
    assert missed.status_code == 422
    assert changed.status_code == 200, changed.content
    assert changed.json()["configuration"]["address"] == "http://127.0.0.1:8"
    assert changed.json()["only_cluster_reaches"] is True
