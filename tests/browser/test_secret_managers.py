"""Secret managers other than a cloud's, by clicking: link, deploy, write a new version, read it again."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_main_job import Walker, everything_kept, kubectl_json

pytestmark = pytest.mark.browser

NAME, KEY = "shop/walked-token", "WALKED_TOKEN"
FIRST, SECOND = "canary-7be1-first", "canary-7be1-second"
# Which no other walk through the same demo deploys to.
CLUSTERS = {"vault": "aks", "built-in": "plain"}


def connect(walker: Walker, name: str, kubeconfig: str) -> None:
    """Connect a cluster as a person of DevOps."""
    walker.sign_in("devops")
    walker.page.goto(f"{walker.demo['address']}/o/acme/clusters/")
    walker.click("link", "Connect cluster")
    walker.page.get_by_label("By a kubeconfig").check()
    walker.click("button", "Continue")
    walker.fill("Kubeconfig", Path(kubeconfig).read_text())
    walker.click("button", "Test connection")
    walker.fill("Name", name)
    walker.click("button", "Connect cluster")


def add_vault(walker: Walker) -> None:
    """Add OpenBao by AppRole, as one who may write."""
    keys = walker.demo["openbao"]["keys"]["writer"]
    walker.fill("Address", walker.demo["openbao"]["url"])
    walker.fill("Role ID", keys["role_id"])
    walker.fill("Secret ID", keys["secret_id"])


def add_built_in(walker: Walker) -> None:
    """Add the built-in store, which needs nothing."""


def add(walker: Walker, cluster: str, slug: str, method: str, details: Any) -> None:
    """Add a secret manager by the wizard, and allow writing through it."""
    root = f"{walker.demo['address']}/o/acme/clusters/{cluster}"
    walker.page.goto(f"{root}/add-ons/")
    walker.click("button", "Add secret manager")
    walker.page.locator(f"#id_provider_{slug}").check()
    walker.click("button", "Continue")
    walker.page.locator(f"input[name=method][value={method}]").check()
    walker.click("button", "Continue")
    details(walker)
    walker.click("button", "Test access")
    walker.click("button", f"Add {slug}")
    walker.page.goto(f"{root}/secret-managers/{slug}/writing/")
    walker.click("button", "Allow writing")


def create_and_link(walker: Walker, cluster: str) -> str:
    """Create a secret, link it to a service, and return the address of its page."""
    page = walker.page
    walker.click("link", "Back to")
    walker.click("link", "Browse secrets")
    walker.click("link", "New secret")
    row = page.get_by_role("listitem").filter(has_text=f"on {cluster}")
    row.get_by_role("link", name="Create here").click()
    walker.fill("Name", NAME)
    walker.fill("Value", FIRST)
    walker.click("button", "Create secret")
    address = str(page.url)
    walker.click("link", "Link it")
    assert page.locator("#id_variable").input_value() == KEY
    place = page.locator("#id_place option", has_text="api").first.get_attribute("value")
    page.locator("#id_place").select_option(place)
    page.locator("#link-button").click()
    page.locator("#review").wait_for()
    return address


def deploy(walker: Walker) -> None:
    page = walker.page
    page.locator("#review").click()
    page.get_by_text("to change, ").wait_for(timeout=60_000)
    page.locator("#deploy").click()
    page.locator("#deploy-again").wait_for(timeout=240_000)
    walker.look()
    assert page.get_by_text("9 of 9 steps done").is_visible()


def value_in(kubectl: str, demo: dict[str, Any], kubeconfig: str) -> str:
    """Return what the cluster's Secret holds for the service, or nothing."""
    facts = demo | {"kubeconfig": kubeconfig}
    found = kubectl_json(kubectl, facts, "get", "secrets", "-n", "shop")["items"]
    values = [one["data"][KEY] for one in found if KEY in (one.get("data") or {})]
    return base64.b64decode(values[0]).decode() if values else ""


def wait_for(kubectl: str, demo: dict[str, Any], kubeconfig: str, value: str) -> None:
    until = time.monotonic() + 60
    while (found := value_in(kubectl, demo, kubeconfig)) != value:
        assert time.monotonic() < until, f"the Secret has {found}"
        time.sleep(1)


@pytest.mark.parametrize(
    ("slug", "method", "details"),
    [("vault", "approle", add_vault), ("built-in", "gateway", add_built_in)],
)
def test_what_is_written_here_arrives_in_the_cluster(page, demo, kubectl, slug, method, details):
    walker, kubeconfig = Walker(page, demo), demo["kubeconfigs"][CLUSTERS[slug]]
    page.set_default_timeout(60_000)
    connect(walker, f"{slug}-walked", kubeconfig)
    add(walker, f"{slug}-walked", slug, method, details)
    address = create_and_link(walker, f"{slug}-walked")

    deploy(walker)
    wait_for(kubectl, demo, kubeconfig, FIRST)
    page.goto(address)
    walker.click("link", "New version")
    walker.fill("Value", SECOND)
    walker.click("button", "Add version")
    walker.click("button", "Read again")

    wait_for(kubectl, demo, kubeconfig, SECOND)
    for canary in (FIRST, SECOND):
        kept = [name for name, text in everything_kept(demo).items() if canary in text]
        assert kept == [], "a value was kept where none may be"
        assert not any(canary in seen for seen in walker.seen)
        assert canary not in json.dumps(walker.page.context.cookies())
