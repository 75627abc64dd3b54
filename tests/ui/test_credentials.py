"""The credentials' pages in a real browser: who uses one is a click away, and without script a page."""

import datetime
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from clusters.models import Cluster
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/o/acme/credentials/"


@pytest.fixture
def credentials(organization: Any) -> None:
    """Sixty credentials, the first of them with sixty clusters. Made before the browser, whose loop would get in the way."""
    now = timezone.now()
    ends = (None, 5, 20, 400)
    made = [
        factories.make_cloud_credential(
            organization=organization,
            name=f"aws-{number:03}",
            checked_at=now,
            check_error="AWS does not accept these keys." if number == 2 else "",
            expires_at=now + datetime.timedelta(days=ends[number % 4]) if ends[number % 4] else None,
            set_at=now - datetime.timedelta(days=100 if number % 5 == 0 else 3),
            rotate_days=90,
        )
        for number in range(60)
    ]
    for number in range(60):
        cluster = factories.make_cluster(
            organization=organization, name=f"prod-{number:02}", credential=made[0], deployed_generation=0
        )
        if number < 4:
            factories.make_access(cluster=cluster, name="aws", cloud_credential=made[0], credential=None)
    Cluster.objects.filter(name="prod-01").update(signs_in="credential", kind="eks", region="eu-west-3")
    factories.make_cluster(organization=organization, name="staging", credential=made[1])


def test_who_uses_it_is_one_click_away(credentials: None, visit: Any):
    page = visit(LIST, signed_in=True)
    button = page.get_by_role("link", name="View associated clusters of aws-000: 60")
    button.click()
    dialog = page.locator("dialog#usage")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("link", name="prod-49", exact=True)).to_be_attached()
    expect(dialog.get_by_role("link", name="prod-50", exact=True)).to_have_count(0)
    dialog.get_by_role("link", name="Show 50 more").click()
    expect(dialog.get_by_role("link", name="prod-59", exact=True)).to_be_attached()
    expect(dialog.get_by_role("link", name="Show 50 more")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(button).to_be_focused()
    page.get_by_role("link", name="View associated clusters of aws-001: 1").click()
    expect(page.locator("#usage-rows").get_by_role("link", name="staging", exact=True)).to_be_visible()


def test_filtering_keeps_the_focus_and_more_rows_are_appended(credentials: None, visit: Any):
    page = visit(LIST, signed_in=True)
    page.get_by_role("link", name="Show 50 more").click()
    expect(page.locator("#credentials .name")).to_have_count(60)
    page.locator("#q").fill("aws-00")
    expect(page.locator("#credentials .name")).to_have_count(10)
    expect(page.locator("#q")).to_be_focused()
    page.locator("#state").select_option("failing")
    expect(page.locator("#credentials .name")).to_have_text(["aws-002"])
    assert "state=failing" in page.url
    page.get_by_role("link", name="Clear all").click()
    expect(page.locator("#credentials .name")).to_have_count(50)


def test_without_script_all_of_it_is_a_page(credentials: None, visit: Any):
    page = visit(LIST, signed_in=True, java_script_enabled=False)
    page.get_by_role("link", name="Show 50 more").click()
    expect(page.locator("#credentials .name")).to_have_count(10)
    page.goto(page.url.split("?")[0])
    page.get_by_role("link", name="View associated clusters of aws-000: 60").click()
    expect(page.locator("h1")).to_have_text("Usage of aws-000")
    page.get_by_role("link", name="Show 50 more").click()
    expect(page.get_by_role("link", name="prod-59", exact=True)).to_be_visible()


@pytest.mark.parametrize("width", [1360, 320])
def test_nothing_is_wider_than_the_page(credentials: None, visit: Any, width: int):
    for path in ("", "aws-000/", "aws-000/usage/", "aws-000/edit/", "new/", "new/?kind=aws.role"):
        page = visit(LIST + path, signed_in=True, width=width)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
