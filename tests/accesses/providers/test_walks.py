"""Conjur, another cluster's Secrets and an HTTP source through the wizard: from the choice to the access's page."""

import re
from typing import Any

import pytest

from accesses.models import Access
from tests import factories
from tests.accesses.worlds import Sandbox, of

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

CASES = [("conjur", "api-key", 2), ("kubernetes", "token", 2), ("http", "header", 0)]


@pytest.fixture
def browser(organization, devops, sign_in) -> Any:
    cluster = factories.make_cluster(
        organization=organization, name="prod", issuer="https://issuer.example.com"
    )
    factories.make_service(cluster=cluster, namespace="shop")
    return sign_in(devops)


@pytest.mark.parametrize(("slug", "method", "cards"), CASES)
def test_from_the_choice_to_the_page(browser, slug, method, cards, request):
    found = of(slug, method, Sandbox(request))
    at = browser.post("/o/acme/clusters/prod/secret-managers/new/").headers["Location"]

    at = browser.post(at, {"provider": slug}).headers["Location"]
    at = browser.post(at, {"method": method}).headers["Location"]
    asked = browser.get(at).content.decode()
    wrong = browser.post(at, {"name": "one", **found.configuration, "namespaces": ["shop"]})
    details = {"name": "one", **found.configuration, **found.good, "namespaces": ["shop"]}
    at = browser.post(at, details).headers["Location"]
    tested = browser.get(at).content.decode()
    shown = re.search(r'name="shown" value="([^"]+)"', tested)[1]
    done = browser.post(at, {"wish": "save", "shown": shown}, follow=True)

    access = Access.objects.get()
    page = done.content.decode()
    assert asked.count('<li class="card">') == cards
    assert wrong.status_code == 422
    assert (done.status_code, access.provider, access.method) == (200, slug, method)
    assert access.credential == found.good
    assert not any(value in asked + tested + page for value in found.good.values())


def test_a_password_is_exchanged_in_the_wizard_and_kept_nowhere(browser, vendors):
    conjur = vendors["conjur"]
    at = browser.post("/o/acme/clusters/prod/secret-managers/new/").headers["Location"]
    at = browser.post(at, {"provider": "conjur"}).headers["Location"]
    at = browser.post(at, {"method": "api-key"}).headers["Location"]
    where = {
        "address": conjur.url,
        "account": "acme",
        "login": conjur["user"],
        "namespaces": ["shop"],
        "name": "one",
    }

    refused = browser.post(at, where | {"password": "wrong-password"})
    at = browser.post(at, where | {"password": conjur["password"]}).headers["Location"]
    tested = browser.get(at).content.decode()

    assert refused.status_code == 422
    assert "wrong-password" not in refused.content.decode()
    assert "As acme:alice" in tested
    assert conjur["password"] not in tested
