"""Writing a secret in a browser: sent, refused, and never shown again."""

import os
from typing import Any

import pytest

from external_secrets import tasks
from tests import factories
from tests.external_secrets.writing.conftest import failing as failing

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

VALUE = "canary-77aa10-value"


@pytest.fixture
def access(organization: Any) -> Any:
    organization.default_tags = {"by": "keyhaven"}
    organization.save()
    cluster = factories.make_cluster(organization=organization, name="prod")
    access = factories.make_access(
        cluster=cluster, name="aws", prefix="prod/shop/", writes=True, tags={"team": "shop"}
    )
    link = factories.make_link(
        access=access, service=factories.make_service(cluster=cluster), key="prod/shop/db"
    )
    factories.make_entry(access, link.key, tags={"team": "shop"})
    return access


def shot(page: Any, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_a_value_that_could_not_be_sent_is_typed_again(
    visit: Any, access: Any, failing: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(tasks.read_inventory, "delay", lambda access_id: None)
    failing("cut")
    page = visit(f"/o/acme/secrets/new/?access={access.pk}", signed_in=True)
    shot(page, "wr-new")
    page.get_by_label("Name", exact=True).fill("db-2")
    page.get_by_label("Value").fill(VALUE)
    page.get_by_role("button", name="Create secret").click()
    page.wait_for_load_state()

    page.get_by_text("It is not known whether it was written").wait_for()
    shot(page, "wr-unknown")
    assert page.get_by_label("Name", exact=True).input_value() == "db-2"
    assert page.get_by_label("Value").input_value() == ""
    assert VALUE not in page.content()


@pytest.mark.parametrize("width", [1360, 320])
def test_no_page_scrolls_sideways(visit: Any, access: Any, width: int) -> None:
    named = f"?access={access.pk}&name=prod/shop/db"
    pages = {
        "new": f"/o/acme/secrets/new/?access={access.pk}", "choose": "/o/acme/secrets/new/",
        "version": f"/o/acme/secrets/show/version/{named}", "delete": f"/o/acme/secrets/show/delete/{named}",
        "tags": f"/o/acme/secrets/show/tags/{named}", "restore": f"/o/acme/secrets/show/restore/{named}",
        "secret": f"/o/acme/secrets/show/{named}&written=version", "defaults": "/o/acme/settings/tags/",
        "writing": "/o/acme/clusters/prod/secret-managers/aws/writing/",
    }  # fmt: skip
    wide = []
    for name, path in pages.items():
        page = visit(path, signed_in=True, width=width)
        shot(page, f"wr-{name}-{width}")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(name)
        page.close()

    assert wide == []
