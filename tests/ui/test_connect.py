"""The pages that connect a cluster by a cloud credential, in a real browser."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.clusters.test_connect_found import CHOOSE, LIST, START, make_credential
from tests.clusters.test_connect_found import kube as kube
from tests.clusters.test_connect_found import register as register
from tests.credentials.conftest import keys as keys
from tests.ui.test_browser import sideways

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def account(organization: Any, owner: Any, keys: Any, kube: Any, register: Any, sandbox_cloud: Any) -> Any:
    """A credential that finds three clusters: one that lets nobody in, one that is being made, a private one."""
    make_credential(organization, owner, keys("console"))
    sandbox_cloud.enroll(kube, "shop-prod", [])
    register("half", status="CREATING")
    register("private", public=False)


@pytest.mark.parametrize(("width", "scheme"), [(1360, "light"), (390, "dark")])
def test_the_way_to_a_cluster_that_lets_nobody_in(account: Any, visit: Any, tmp_path: Any, width, scheme):
    found, over = {}, {}
    page = visit(START, signed_in=True, width=width, color_scheme=scheme)

    for name, act in (
        ("way", lambda: None),
        ("credential", lambda: page.get_by_role("button", name="Continue").click()),
        ("clusters", lambda: page.goto(page.url.split("/o/")[0] + LIST)),
        ("test", lambda: page.get_by_role("button", name="Choose shop-prod").click()),
    ):
        act()
        page.wait_for_load_state()
        page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        found |= {
            (name, one["id"]): one["nodes"][0]["html"][:120] for one in Axe().run(page).response["violations"]
        }
        over[name] = sideways(page)

    assert found == {}
    assert {name: pixels for name, pixels in over.items() if pixels > 0} == {}
    assert page.get_by_text("aws eks create-access-entry").count() >= 1
    assert CHOOSE in page.get_by_role("link", name="Back").get_attribute("href")
