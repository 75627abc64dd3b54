"""The built-in store as a person meets it: in the wizard, on the edit page, and when a link is made."""

from typing import Any

import pytest

from accesses import manifests, providers, trials
from accesses.models import Access, AccessDraft
from accesses.providers.gateway import references as gateway_references
from accesses.providers.gateway import tokens as gateway_tokens
from accesses.providers.gateway import ways as gateway
from accesses.providers.references import NotReadable
from tests import factories
from tests.accesses.test_wizard import begin, saving, url

pytestmark = pytest.mark.django_db
TOKEN = gateway_tokens.new()


@pytest.fixture
def cluster(organization):
    found = factories.make_cluster(organization=organization, name="prod")
    factories.make_service(cluster=found, namespace="shop", name="api")
    return found


@pytest.fixture
def browser(sign_in, devops):
    return sign_in(devops)


def turn_on(organization) -> None:
    organization.built_in_store = True
    organization.save()


def make(cluster, **fields: Any) -> Access:
    values = {"configuration": {"gateway_address": "", "gateway_ca": ""}, "credential": {"token": TOKEN}}
    return factories.make_access(cluster=cluster, provider="built-in", method="gateway", **(values | fields))


def test_while_it_is_off_the_wizard_says_who_turns_it_on(browser, cluster):
    draft = begin(browser)
    browser.post(url(draft, "provider"), {"provider": "built-in"})

    page = browser.get(url(draft, "authentication")).content.decode()
    refused = browser.post(url(draft, "authentication"), {"method": "gateway"})

    assert "An owner turns it on" in page
    assert refused.status_code == 422


def test_the_wizard_makes_an_access_with_a_token_that_nobody_sees(
    browser, cluster, organization, django_capture_on_commit_callbacks
):
    turn_on(organization)
    draft = begin(browser)
    browser.post(url(draft, "provider"), {"provider": "built-in"})
    browser.post(url(draft, "authentication"), {"method": "gateway"})

    details = browser.get(url(draft, "details")).content.decode()
    browser.post(url(draft, "details"), {"name": "own", "namespaces": ["shop"]})
    tested = browser.get(url(draft, "test")).content.decode()
    browser.post(url(draft, "test"), {})
    result = browser.get(url(draft, "test")).content.decode()
    browser.post(url(draft, "test"), saving(AccessDraft.objects.get()))

    access = Access.objects.get()
    assert gateway_tokens.is_token(access.credential["token"])
    assert 'name="token"' not in details
    for page in (
        details,
        tested,
        result,
        browser.get(f"/o/acme/clusters/prod/secret-managers/{access}/").content.decode(),
    ):
        assert access.credential["token"] not in page


def test_a_new_token_is_made_on_the_edit_page(browser, cluster, organization):
    turn_on(organization)
    access = make(cluster, name="own")
    address = "/o/acme/clusters/prod/secret-managers/own/edit/"

    page = browser.get(address).content.decode()
    browser.post(address, {"namespaces": ["shop"], "seen": "1"})
    access.refresh_from_db()
    kept = access.credential["token"]
    browser.post(address, {"namespaces": ["shop"], "seen": str(access.version), "token": "on"})
    access.refresh_from_db()

    assert 'name="token"' in page
    assert TOKEN not in page
    assert kept == TOKEN
    assert access.credential["token"] != TOKEN
    assert gateway_tokens.is_token(access.credential["token"])


def test_a_console_whose_address_is_not_encrypted_is_refused(settings):
    settings.BASE_URL = "http://keyhaven.example"
    form = providers.PROVIDERS["built-in"].methods[0].form
    without, beside, local = form({}), form({"gateway_address": "https://10.0.0.7:8443"}), form({})

    assert not without.is_valid()
    assert "not encrypted" in str(without.errors["gateway_address"])
    assert beside.is_valid()
    settings.BASE_URL = "http://localhost:8000"
    assert local.is_valid()


def test_an_address_of_this_machine_alone_is_a_warning(cluster, organization, settings):
    turn_on(organization)
    settings.BASE_URL = "http://localhost:8000"
    facts = {fact.label: fact for fact in trials.try_access(make(cluster)).facts}

    assert facts["Reach the gateway"].ok is None
    assert "this machine alone" in facts["Reach the gateway"].text


def test_turned_off_it_refuses(cluster, organization):
    access = make(cluster)

    with pytest.raises(providers.CredentialRefused, match="off"):
        trials.connect(access)


def test_the_store_asks_the_gateway_by_its_other_address_and_authority(cluster, organization):
    access = make(cluster, configuration={"gateway_address": "https://10.0.0.7:8443", "gateway_ca": "PEM"})

    spec = manifests.store(access)["spec"]["provider"]["webhook"]

    assert spec["url"].startswith(
        f"https://10.0.0.7:8443/gateway/{access.pk}/secret?name={{{{ .remoteRef.key }}}}&"
    )
    assert spec["headers"]["Authorization"] == "Bearer {{ .gateway.token }}"
    assert spec["caBundle"] == gateway.bundle("PEM")
    assert TOKEN not in str(spec)


@pytest.mark.parametrize("text", ["a b", "ü", "/a", "a?b", "x" * 201])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(NotReadable):
        gateway_references.GATEWAY.read(text)


def test_a_link_names_a_version_or_a_field_and_nothing_that_must_be_searched():
    rules = gateway_references.GATEWAY

    assert rules.read("prod/db#user.name").json_field == "user.name"
    assert rules.wrong_versions({"version": "0"})
    assert not rules.wrong_versions({"version": "12"})
    assert set(rules.cannot) == {"path", "tags"}
    with pytest.raises(NotReadable):
        rules.below.clean("prod/")


@pytest.mark.parametrize(
    "text",
    ["", "khg_", TOKEN[:-1], TOKEN + "0", TOKEN.swapcase(), "x" * 60, TOKEN[4:], "khg_" + "ü" * 60],
    ids=["empty", "prefix", "cut", "longer", "case", "other", "body", "odd"],
)
def test_only_a_console_makes_tokens(text):
    assert not gateway_tokens.is_token(text)
    assert gateway_tokens.is_token(gateway_tokens.new())
