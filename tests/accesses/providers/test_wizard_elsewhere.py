"""The wizard with secret managers that sign in by themselves: cards, details, test, saved; nothing of the credential comes back."""

from typing import Any

import pytest

from accesses import providers
from accesses.models import Access, AccessDraft
from tests import factories
from tests.accesses import worlds
from tests.accesses.worlds import Sandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

SLUGS = ("beyondtrust", "delinea-devops-secrets-vault", "delinea-secret-server")
CASES = [case for case in worlds.cases() if case[0] in SLUGS]


@pytest.fixture
def cluster(organization):
    found = factories.make_cluster(organization=organization, name="prod")
    factories.make_service(cluster=found, namespace="shop", name="api")
    return found


@pytest.fixture
def browser(sign_in, devops):
    return sign_in(devops)


@pytest.fixture(params=CASES, ids="-by-".join)
def case(request):
    return request.param


@pytest.fixture
def found(case, request) -> Any:
    return worlds.of(*case, Sandbox(request))


def url(draft: AccessDraft, step: str) -> str:
    return f"/o/acme/clusters/prod/secret-managers/new/{draft.pk}/{step}/"


@pytest.fixture
def draft(browser, cluster, case) -> AccessDraft:
    """A draft whose provider and method are chosen."""
    browser.post("/o/acme/clusters/prod/secret-managers/new/")
    made = AccessDraft.objects.latest("created_at")
    browser.post(url(made, "provider"), {"provider": case[0]})
    browser.post(url(made, "authentication"), {"method": case[1]})
    return made


def entered(found: Any, credential: dict[str, str], **changes: str) -> dict[str, Any]:
    return {"name": "safe", "namespaces": ["shop"]} | found.configuration | credential | changes


def test_the_cards_stand_before_the_fields(browser, draft, case):
    page = browser.get(url(draft, "details")).content.decode()

    method = providers.PROVIDERS[case[0]].method(case[1])
    assert 'class="guide"' in page
    assert all(f'name="{name}"' in page for name in method.form.base_fields if name not in method.form.ASIDE)


def test_it_leads_to_an_access_and_its_credential_is_on_no_page(browser, draft, found, case):
    to_test = browser.post(url(draft, "details"), entered(found, found.good))
    tested = browser.get(to_test.headers["Location"]).content.decode()
    shown = AccessDraft.objects.get(pk=draft.pk).tested_at
    done = browser.post(url(draft, "test"), {"wish": "save", "shown": shown.isoformat()})

    access = Access.objects.get()
    pages = [tested, *(browser.get(where).content.decode() for where in (done.headers["Location"],))]
    assert (access.provider, access.method, access.configuration) == (*case, found.configuration)
    assert access.credential == found.good
    assert access.verified_at
    assert found.names[0] in tested
    assert not [one for one in found.good.values() for page in pages if one in page]


def test_a_wrong_credential_is_said_and_cannot_be_saved(browser, draft, found):
    answer = browser.post(url(draft, "details"), entered(found, found.wrong))
    browser.post(url(draft, "test"), {"wish": "save"})

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "refuses" in page or "does not know" in page
    assert not Access.objects.exists()
    assert not [one for one in found.wrong.values() if one in page]


def test_a_bad_address_is_said_at_its_field_and_all_but_the_credential_is_kept(browser, draft, found):
    sent = entered(found, found.good, address="http://169.254.169.254/")

    answer = browser.post(url(draft, "details"), sent)

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "never called" in page
    assert 'value="http://169.254.169.254/"' in page
    assert not [one for one in found.good.values() if one in page]
