"""The pages of API tokens in a browser: made, shown once, revoked; axe has nothing to say."""

from typing import Any

import pytest

from accounts.models import ApiToken
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("width", [1360, 320])
def test_a_token_is_made_and_its_value_is_there_once(visit: Any, organization: Any, owner: Any, width: int):
    from axe_playwright_python.sync_playwright import Axe

    factories.make_machine(organization, "viewer", name="pipeline")
    page = visit("/o/acme/tokens/new/", signed_in=True, width=width)
    found = [Axe().run(page).response["violations"]]
    page.get_by_role("textbox", name="Name").fill("ci")
    page.get_by_role("button", name="Make token").click()
    page.wait_for_selector("text=Copy it now")
    value = page.locator("code, pre").filter(has_text="khp_").first.inner_text()
    found.append(Axe().run(page).response["violations"])
    page.get_by_role("link", name="Done").click()
    page.wait_for_selector("h1:has-text('API tokens')")
    found.append(Axe().run(page).response["violations"])
    listed = page.content()
    page.get_by_role("link", name="ci", exact=True).click()
    page.wait_for_selector("h1:has-text('ci')")
    found.append(Axe().run(page).response["violations"])

    assert value.startswith("khp_")
    assert value not in listed
    assert "pipeline" in listed
    assert [[one["id"] for one in violations] for violations in found] == [[], [], [], []]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert ApiToken.objects.filter(name="ci").exists()
