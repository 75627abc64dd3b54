"""The whole main job by clicking, then checked with kubectl, then searched for values where none may be."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.tools import broker

pytestmark = pytest.mark.browser

PASSWORD = "keyhaven-demo"


class Walker:
    """A person at a page: every page that they come to is looked at by axe."""

    def __init__(self, page: Any, demo: dict[str, Any]) -> None:
        self.page, self.demo = page, demo
        self.seen: list[str] = []

    def look(self) -> None:
        """Check the page for serious problems of accessibility, and keep its text."""
        self.page.wait_for_load_state()
        found = Axe().run(self.page).response["violations"]
        bad = [
            (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
        ]
        assert bad == [], f"{self.page.url}: {bad}"
        self.seen.append(self.page.content())

    def click(self, role: str, name: str, nth: int = 0) -> None:
        self.page.get_by_role(role, name=name).nth(nth).click()
        self.look()

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).fill(text)

    def sign_in(self, who: str) -> None:
        self.page.goto(self.demo["address"] + "/accounts/login/")
        self.look()
        self.page.locator("input[name=login]").fill(f"{who}@example.com")
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.click("button", "Sign in")


def kubectl_json(kubectl: str, demo: dict[str, Any], *what: str) -> Any:
    command = [kubectl, "--kubeconfig", demo["kubeconfig"], *what, "-o", "json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def upstream_value(demo: dict[str, Any], name: str) -> str:
    import boto3

    client = boto3.client(
        "secretsmanager", endpoint_url=demo["aws_url"], region_name="eu-west-3",
        aws_access_key_id=demo["access_key_id"], aws_secret_access_key=demo["secret_access_key"],
    )  # fmt: skip
    return str(client.get_secret_value(SecretId=name)["SecretString"])


def everything_kept(demo: dict[str, Any]) -> dict[str, str]:
    """Return every log, every row of every table and everything in the broker, by where it is."""
    found = {path.name: path.read_text(errors="replace") for path in Path(demo["logs"]).iterdir()}
    with psycopg.connect(demo["database_url"]) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            rows = connection.execute(f'SELECT t::text FROM "{table}" t').fetchall()  # type: ignore[arg-type]
            found[table] = "\n".join(row[0] for row in rows)
    return found | {"broker": broker(demo["redis_url"])}


def test_the_main_job(page, demo, kubectl):
    walker = Walker(page, demo)
    kubeconfig = Path(demo["kubeconfig"]).read_text()
    token = kubeconfig.partition("token: ")[2].split()[0]

    # Connect the cluster.
    walker.sign_in("devops")
    walker.click("link", "Connect cluster")
    page.get_by_label("By a kubeconfig").check()
    walker.click("button", "Continue")
    walker.fill("Kubeconfig", kubeconfig)
    walker.click("button", "Test connection")
    walker.fill("Name", "acme-prod")
    walker.click("button", "Connect cluster")
    assert page.get_by_text("acme-prod is connected").is_visible()

    # Add the secret manager.
    walker.click("link", "Add-ons")
    walker.click("button", "Add secret manager")
    walker.click("button", "Continue")
    page.locator(".choices label", has=page.get_by_text("Access key", exact=True)).click()
    walker.click("button", "Continue")
    walker.fill("Region", "eu-west-3")
    walker.fill("Access key ID", demo["access_key_id"])
    walker.fill("Secret access key", demo["secret_access_key"])
    walker.click("button", "Test access")
    assert page.get_by_text("user/reader").is_visible()
    walker.click("button", "Add aws")

    # Browse by prefix, as one types, and link.
    walker.click("link", "Browse secrets")
    page.locator("#q").fill("prod/db-pass")
    page.get_by_role("row").filter(has_text="prod/db-password").wait_for()
    walker.look()
    page.get_by_role("row").filter(has_text="prod/db-password").get_by_role("link", name="Link").click()
    walker.look()
    assert page.locator("#id_variable").input_value() == "DB_PASSWORD"
    place = page.locator("#id_place option", has_text="api").get_attribute("value")
    page.locator("#id_place").select_option(place)
    page.locator("#link-button").click()
    page.locator("#review").wait_for()
    walker.look()

    # See what would change, deploy, and watch it.
    page.locator("#review").click()
    page.get_by_text("to change, ").wait_for(timeout=20_000)
    assert page.get_by_text("Create").first.is_visible()
    walker.look()
    page.locator("#deploy").click()
    page.locator("#deploy-again").wait_for(timeout=90_000)
    walker.look()
    assert page.get_by_text("9 of 9 steps done").is_visible()
    walker.click("link", "Secrets")
    assert page.get_by_text("In sync").first.is_visible()

    # The cluster has it.
    value = upstream_value(demo, "prod/db-password")
    deployment = kubectl_json(kubectl, demo, "get", "deployment", "api", "-n", "shop")
    env = {entry["name"]: entry for entry in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    reference = env["DB_PASSWORD"]["valueFrom"]["secretKeyRef"]
    secret = kubectl_json(kubectl, demo, "get", "secret", reference["name"], "-n", "shop")
    assert base64.b64decode(secret["data"][reference["key"]]).decode() == value
    assert env["PORT"]["value"] == "8080"
    listed = kubectl_json(kubectl, demo, "get", "clustersecretstores,externalsecrets,secrets", "-A")
    assert {"ClusterSecretStore", "ExternalSecret", "Secret"} <= {item["kind"] for item in listed["items"]}

    # The audit log tells it all, to those who may read it.
    assert page.get_by_role("link", name="Audit log").count() == 0
    auditor = Walker(page, demo)
    page.context.clear_cookies()
    auditor.sign_in("auditor")
    auditor.click("link", "Audit log")
    for action in ("cluster.connected", "access.created", "external_secret.linked", "deploy.succeeded"):
        assert page.get_by_text(action, exact=True).locator("visible=true").first.is_visible()
    assert page.get_by_text("Chain intact").is_visible()

    # No value is anywhere but in the cluster.
    for canary in (value, demo["secret_access_key"], token):
        places = [name for name, text in everything_kept(demo).items() if canary in text]
        assert places == [], "a value was kept where none may be"
        assert not any(canary in seen for seen in walker.seen + auditor.seen)


@pytest.mark.parametrize("who", ["owner", "admin", "devops", "auditor", "viewer"])
def test_everybody_can_sign_in_in_the_dark_on_a_phone(page, demo, who):
    page.set_viewport_size({"width": 320, "height": 700})
    page.emulate_media(color_scheme="dark")
    walker = Walker(page, demo)

    walker.sign_in(who)
    for path in ("/o/acme/clusters/", "/o/acme/deploys/", "/o/acme/secrets/linked/", "/o/acme/team/"):
        page.goto(demo["address"] + path)
        walker.look()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, f"{path} scrolls sideways"
