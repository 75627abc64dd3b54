"""Browsing names in a real browser: by keys alone, choosing many, back and forward."""

from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from external_secrets.models import InventoryState
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def accesses(organization: Any) -> list[Any]:
    """Two accesses of a hundred names each. Made before the browser, whose loop would get a connection of its own."""
    cluster = factories.make_cluster(organization=organization, name="prod")
    found = []
    for name in ("aws", "other"):
        access = factories.make_access(cluster=cluster, name=name)
        for number in range(100):
            factories.make_entry(access, f"{name}/key-{number:03}", tags={"stage": "prod"})
        InventoryState.objects.create(access=access, read_at=timezone.now(), entries=100)
        found.append(access)
    service = factories.make_service(cluster=cluster)
    factories.make_link(access=found[0], service=service, key="aws/key-000")
    return found


def test_from_the_box_to_the_list_and_on(accesses: list[Any], visit: Any):
    page = visit("/o/acme/secrets/", signed_in=True)
    box, first = page.locator("#q"), page.locator("[data-row]").nth(0)
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(box).to_be_focused()
    page.keyboard.type("other/x")
    expect(page.get_by_text("No name begins with other/x")).to_be_visible()
    page.keyboard.press("Backspace")
    expect(first).to_have_text("other/key-000")
    page.keyboard.press("ArrowDown")
    expect(first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("x")
    expect(page.locator("[data-count]")).to_have_text("2 selected")
    page.keyboard.press("ArrowUp")
    expect(box).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/secrets/show/**")
    expect(page.locator("h1")).to_have_text("other/key-000")
    page.go_back()
    expect(page.locator("#q")).to_have_value("other/")
    expect(page.locator("[data-row]").nth(0)).to_have_text("other/key-000")
    page.locator("[data-row]").nth(2).focus()
    page.keyboard.press("l")
    page.wait_for_url("**/secrets/link/**key=other*key-002*")


def test_the_chosen_stay_through_searches_and_are_of_one_access(accesses: list[Any], visit: Any):
    page = visit("/o/acme/secrets/?q=aws/", signed_in=True)
    page.locator("[data-pick]").nth(0).check()
    page.locator("#q").fill("aws/key-09")
    expect(page.locator("[data-row]")).to_have_count(10)
    page.locator("[data-pick]").nth(9).check()
    expect(page.locator("[data-count]")).to_have_text("2 selected")
    page.locator("#q").fill("other/")
    expect(page.locator("[data-row]").nth(0)).to_have_text("other/key-000")
    page.locator("[data-pick]").nth(0).click()
    expect(page.locator("[data-mixed]")).to_be_visible()
    expect(page.locator("[data-pick]").nth(0)).not_to_be_checked()
    page.locator("#q").fill("aws/")
    expect(page.locator("[data-pick]").nth(0)).to_be_checked()
    page.get_by_role("button", name="Link…").click()

    page.wait_for_url("**/secrets/bulk/**")

    assert page.url.endswith(f"?access={accesses[0].pk}&key=aws%2Fkey-000&key=aws%2Fkey-099")


def test_the_rest_comes_after_the_first_rows(accesses: list[Any], visit: Any):
    page = visit("/o/acme/secrets/", signed_in=True)
    page.locator("#q").fill("o")
    expect(page.locator("[data-row]")).to_have_count(20)
    expect(page.locator(".folders a")).to_have_text("other/ 100 names")
    expect(page.locator("#count")).to_have_text("100 names that begin with o")
    page.locator("#more").click()
    expect(page.locator("[data-row]")).to_have_count(70)
    page.get_by_label("Contains").check()
    page.locator("#q").fill("KEY-05")
    expect(page.locator("[data-row]")).to_have_count(20)
    assert "mode=contains" in page.url
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("width", [1360, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(accesses: list[Any], visit: Any, scheme: str, width: int):
    from axe_playwright_python.sync_playwright import Axe

    found = {}
    for path in (
        f"/o/acme/secrets/?tag=stage%3Dprod&pick={accesses[0].pk.hex[:8]}:aws/key-000",
        f"/o/acme/secrets/show/?access={accesses[0].pk}&name=aws/key-000",
        "/o/acme/secrets/linked/",
    ):
        page = visit(path, signed_in=True, width=width, color_scheme=scheme)
        for violation in Axe().run(page).response["violations"]:
            found[path, violation["id"]] = [node["html"][:120] for node in violation["nodes"]]
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, path
        page.context.close()

    assert found == {}
