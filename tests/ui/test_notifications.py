"""The pages of notifications in a browser: nothing for axe to find, nothing sideways, and all of it without JavaScript."""

import time
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Delivery
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOME = "/o/acme/settings/notifications/"


@pytest.fixture
def pages(organization: Any, owner: Any, client: Any) -> list[str]:
    """The pages, as the owner sees them who has just proved who it is.

    All rows are made before the browser is there: with its loop in this thread Django would open another connection.
    """
    client.force_login(owner)
    session = client.session
    session["proved_at"] = time.time()
    session.save()
    now = timezone.now()
    ill = factories.make_destination(
        organization=organization,
        name="on-call",
        failing_since=now,
        last_error="timeout",
        tries=3,
        next_try_at=now,
    )
    factories.make_destination(organization=organization, name="well", actions=[], last_delivered_at=now)
    factories.make_destination(organization=organization, name="gone", paused_at=now, paused_for="gone")
    for outcome, cause in (("delivered", ""), ("failed", "timeout")):
        Delivery.objects.create(
            destination=ill, first=1, last=9, events=9, milliseconds=30_000, outcome=outcome, cause=cause
        )
    one = f"{HOME}{ill.pk}/"
    kinds = [f"{HOME}add/?kind={kind}" for kind in ("webhook", "syslog", "otlp", "email")]
    return [HOME, one, f"{one}edit/", f"{one}delete/", f"{HOME}add/", *kinds]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 320)])
def test_axe_finds_nothing_and_nothing_is_sideways(pages: list[str], visit: Any, scheme: str, width: int):
    from axe_playwright_python.sync_playwright import Axe

    found: dict[Any, Any] = {}
    for path in pages:
        page = visit(path, signed_in=True, width=width, color_scheme=scheme)
        for violation in Axe().run(page).response["violations"]:
            found[path, violation["id"]] = [node["html"][:120] for node in violation["nodes"]]
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found |= {(path, "sideways"): over} if over > 0 else {}
        page.context.close()

    assert found == {}


def test_a_webhook_is_added_without_javascript(pages: list[str], visit: Any):
    page = visit(f"{HOME}add/?kind=webhook", signed_in=True, java_script_enabled=False)
    page.get_by_label("Name", exact=True).fill("chat")
    page.get_by_label("URL").fill("http://127.0.0.1:1/hook")
    page.get_by_label("Clusters that were changed by others").check()
    page.get_by_role("button", name="Add destination").click()
    shown = page.get_by_text("khs_").count()
    page.get_by_role("link", name="It is copied").click()
    page.get_by_role("button", name="Send test").click()

    told = page.get_by_text("It does not accept connections.").count()

    assert (shown, told) == (1, 1)
