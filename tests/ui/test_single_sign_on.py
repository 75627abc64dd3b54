"""There and back in a real browser: what the policy of the page lets through, with and without JavaScript.

What is in the database is made before the browser starts (`visit` comes last): see `visit`.
"""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests import factories
from tests.accounts.single_sign_on.conftest import issuer as issuer
from tests.accounts.single_sign_on.conftest import jo as jo
from tests.accounts.single_sign_on.conftest import running_issuer as running_issuer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGE = "/o/acme/settings/sign-in/"


@pytest.fixture
def provider(organization: Any, issuer: Any, settings: Any, live_server: Any) -> Any:
    settings.BASE_URL = live_server.url
    return factories.make_identity_provider(
        organization=organization,
        issuer=issuer.url,
        client_secret=issuer.state.client_secret,
        domains=["acme.example"],
        default_role="viewer",
    )


@pytest.fixture
def linked(provider: Any, organization: Any) -> Any:
    return factories.make_identity(organization=organization)


def sideways(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("scripts", [True, False])
def test_somebody_new_signs_in(scripts: bool, provider: Any, visit: Any):
    page = visit("/accounts/login/?next=/o/acme/team/", java_script_enabled=scripts)

    page.get_by_role("link", name="Continue with single sign-on").click()
    page.get_by_label("E-mail address or organization").fill("jo@acme.example")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Jo Winter").click()

    expect(page).to_have_url(f"{page.url.partition('/o/')[0]}/o/acme/team/")
    expect(page.get_by_role("heading", name="Team and roles", level=1)).to_be_visible()


def test_an_owner_sets_it_up_and_tests_it(jo: Any, issuer: Any, settings: Any, live_server: Any, visit: Any):
    settings.BASE_URL = live_server.url
    page = visit(PAGE, signed_in=True)

    page.get_by_label("Issuer").fill(issuer.url)
    page.get_by_label("Client ID").fill("keyhaven")
    page.get_by_label("Client secret").fill(issuer.state.client_secret)
    page.get_by_label("E-mail domains").fill("acme.example")
    page.get_by_role("button", name="Check and save").click()
    expect(page.get_by_text("Not tested")).to_be_visible()
    page.get_by_role("button", name="Test sign-in").click()
    page.get_by_role("button", name="Jo Winter").click()

    expect(page.get_by_text("The test worked: it would have been Jo Winter")).to_be_visible()
    expect(page.get_by_text("Nobody yet.")).to_be_visible()


@pytest.mark.parametrize("width", [1360, 390, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_clean(scheme: str, width: int, linked: Any, visit: Any):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(PAGE, signed_in=True, width=width, color_scheme=scheme)

    page.locator("details.howto summary").click()

    assert sideways(page) <= 0
    assert [violation["id"] for violation in Axe().run(page).response["violations"]] == []
