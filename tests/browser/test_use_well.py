"""Finding a secret and using it well, by clicking: every shape of a link, its life, and what others made."""

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_main_job import PASSWORD, kubectl_json, upstream_value
from tests.browser.test_ways_in import Person, deploy
from tests.external_secrets import foreigners

pytestmark = pytest.mark.browser

# A cluster that no other test of a browser uses.
CLUSTER = "well"
DATABASE = "prod/shop/database"


class User(Person):
    """A person who links secrets of one cluster; every page is looked at in both themes."""

    @property
    def facts(self) -> dict[str, Any]:
        return self.demo | {"kubeconfig": self.demo["kubeconfigs"]["gke"]}

    def prepare(self) -> None:
        """Connect the cluster and its access, if the test before has not."""
        self.go("clusters/")
        if self.page.get_by_role("link", name=CLUSTER, exact=True).count():
            return
        self.connect({}, CLUSTER, "gke")
        self.begin(CLUSTER, "AWS Secrets Manager", "Access key")
        self.fill("Name", "well")
        self.fill("Region", "eu-west-3")
        self.fill("Access key ID", self.demo["access_key_id"])
        self.fill("Secret access key", self.demo["secret_access_key"])
        self.click("button", "Test access")
        self.click("button", "Add well")
        self.deploy()

    def browse(self) -> None:
        """Go to the names of the access, once they were read."""
        self.go(f"clusters/{CLUSTER}/secret-managers/well/")
        self.click("link", "Browse secrets")
        self.page.get_by_text(re.compile(r"\d+ names, read ")).wait_for(timeout=30_000)

    def search(self, text: str) -> None:
        self.page.locator("#q").fill(text)
        self.page.locator("#names tr").filter(has_text=text.partition("#")[0]).first.wait_for()
        self.page.locator("#count", has_text=text.partition("#")[0]).wait_for()

    def choose(self, place: str) -> None:
        option = self.page.locator("#id_place option", has_text=place).first
        self.page.locator("#id_place").select_option(option.get_attribute("value"))

    def card(self, name: str, value: str) -> None:
        self.page.locator(f"input[name={name}][value={value}]").check()

    def send(self, button: str, where: str) -> None:
        """Send the form, and arrive at the page of the service or the namespace."""
        self.page.locator(button).click()
        self.page.wait_for_url(re.compile(where))
        self.look()

    def deploy(self) -> None:
        self.go(f"clusters/{CLUSTER}/changes/")
        self.page.locator("#look-again").click()
        self.page.get_by_text(re.compile("Looked .* to change, ")).wait_for(timeout=30_000)
        self.look_dark_and_small()
        deploy(self)
        assert self.page.get_by_text("9 of 9 steps done").is_visible()

    def service(self, name: str, namespace: str = "shop") -> None:
        self.go(f"clusters/{CLUSTER}/services/?namespace={namespace}")
        self.click("link", name)

    def workload(self, name: str, namespace: str = "shop") -> dict[str, Any]:
        found = kubectl_json(self.kubectl, self.facts, "get", "deployment", name, "-n", namespace)
        return dict(found["spec"]["template"])

    kubectl = ""


@pytest.fixture
def person(page, demo, kubectl) -> User:
    person = User(page, demo)
    person.kubectl = kubectl
    person.sign_in("devops")
    person.prepare()
    return person


def container(template: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in template["spec"]["containers"] if one["name"] == name)


def environment(person: User, template: dict[str, Any], name: str, namespace: str = "shop") -> dict[str, str]:
    """Return what a container's process would see: the values behind the references, out of the cluster's Secrets."""
    found = {}
    for entry in container(template, name).get("env", []):
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        found[entry["name"]] = secret(person, namespace, **reference) if reference else entry.get("value", "")
    return found


def bare(template: dict[str, Any]) -> dict[str, Any]:
    """Return a pod's spec; Kubernetes does not tell an empty list of variables from none."""
    containers = [
        {name: value for name, value in one.items() if value} for one in template["spec"]["containers"]
    ]
    return template["spec"] | {"containers": containers}


def secret(person: User, namespace: str, name: str, key: str, **_: Any) -> str:
    whole = kubectl_json(person.kubectl, person.facts, "get", "secret", name, "-n", namespace)
    return base64.b64decode(whole["data"][key]).decode()


def file_of(person: User, template: dict[str, Any], name: str, path: str) -> str:
    """Return what is in a container's file, by way of its mount and the volume's source."""
    folder, _, wanted = path.rpartition("/")
    mount = next(one for one in container(template, name)["volumeMounts"] if one["mountPath"] == folder)
    volume = next(one for one in template["spec"]["volumes"] if one["name"] == mount["name"])
    for source in volume["projected"]["sources"]:
        for item in source["secret"]["items"]:
            if item["path"] == wanted:
                return secret(person, "shop", source["secret"]["name"], item["key"])
    raise AssertionError(f"{path} is not there")


def by_keyboard(person: User) -> None:
    """Come to the form of a link without a mouse."""
    person.browse()
    person.look_dark_and_small()
    page = person.page
    page.locator("#q").blur()
    page.keyboard.press("/")
    page.keyboard.insert_text(DATABASE)
    page.locator("#count", has_text=DATABASE).wait_for()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == DATABASE
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Who would notice").wait_for()
    person.look_dark_and_small()
    page.keyboard.press("l")
    page.locator("#link-form").wait_for()
    person.look_dark_and_small()


def link_all_shapes(person: User) -> None:
    """Link a field as a variable, a value as a file and a variable, every key, and one for a namespace."""
    page = person.page
    by_keyboard(person)
    person.fill("Secret", f"{DATABASE}#password")
    person.fill("Variable", "DB_PASSWORD")
    person.choose("frontend, container web")
    person.send("#link-button", "/services/")

    person.browse()
    person.search("prod/shop/stripe-key")
    page.locator("[data-link]").first.click()
    person.choose("frontend, container proxy")
    person.card("target", "both")
    person.fill("Variable", "STRIPE_FILE")
    person.fill("Path", "stripe/key")
    page.locator("#link-button").click()
    page.get_by_text("is not absolute").first.wait_for()
    page.locator("#id_path:focus").wait_for()
    assert page.title().startswith("Error: ")
    person.fill("Path", "/etc/stripe/key")
    person.send("#link-button", "/services/")

    person.service("api")
    person.click("link", "Link a secret")
    person.search(DATABASE)
    page.locator("[data-link]").first.click()
    assert page.locator("#id_place option:checked").text_content() == "api (Deployment)"
    page.locator("#several > summary").click()
    person.card("takes", "keys")
    assert page.locator("#id_variable").input_value() == "DATABASE_", "what nobody typed becomes a beginning"
    person.fill("Variable", "PG_")
    page.get_by_text("variables that begin with PG_").wait_for()
    person.look_dark_and_small()
    person.send("#link-button", "/services/")

    person.go(f"clusters/{CLUSTER}/namespaces/shop/")
    person.look_dark_and_small()
    person.click("link", "Link a secret")
    person.fill("Secret", "prod/shop/sentry-dsn")
    person.fill("Variable", "SENTRY_DSN")
    person.send("#link-button", "/namespaces/shop/")


def link_many(person: User) -> None:
    page = person.page
    person.browse()
    person.search("prod/billing/")
    for name in ("api-key", "db-user", "stripe-key"):
        page.locator("#names tr").filter(has_text=f"prod/billing/{name}").locator("[data-pick]").check()
    page.get_by_text("3 selected").wait_for()
    person.look()
    page.locator("#basket button.primary").click()
    page.locator("#bulk-form").wait_for()
    person.choose("invoices")
    page.get_by_text("3 lines.").wait_for()
    person.look_dark_and_small()
    person.send("#bulk-button", "/services/")


def unlink_all(person: User) -> None:
    """Unlink everything of the cluster, each on its own page."""
    links = "a[href*='/delete/']"
    for place in ("frontend", "api"):
        person.service(place)
        own = person.page.locator("section[aria-labelledby=links-h]")
        while own.locator(links).count():
            person.page.goto(person.demo["address"] + str(own.locator(links).first.get_attribute("href")))
            person.look_dark_and_small()
            person.page.locator("main button.danger").click()
            person.page.wait_for_url(re.compile("/services/"))


def test_every_shape_of_a_link_arrives_changes_and_leaves(person, page, demo):
    before = {name: person.workload(name) for name in ("frontend", "api")}
    link_all_shapes(person)
    link_many(person)
    person.deploy()

    # Each value is in the container that asked for it, and in no other.
    upstream = json.loads(upstream_value(demo, DATABASE))
    frontend, api = person.workload("frontend"), person.workload("api")
    web, proxy = (environment(person, frontend, name) for name in ("web", "proxy"))
    assert web == {
        "DB_PASSWORD": upstream["password"],
        "SENTRY_DSN": upstream_value(demo, "prod/shop/sentry-dsn"),
    }
    assert proxy == {"STRIPE_FILE": "/etc/stripe/key", "SENTRY_DSN": web["SENTRY_DSN"]}
    assert file_of(person, frontend, "proxy", "/etc/stripe/key") == upstream_value(
        demo, "prod/shop/stripe-key"
    )
    assert not container(frontend, "web").get("volumeMounts")
    assert environment(person, api, "web") == {
        "PG_USERNAME": "shop", "PG_PASSWORD": upstream["password"], "PG_PORT": "5432", "PG_TLS": "true",
        "SENTRY_DSN": web["SENTRY_DSN"], "LOG_LEVEL": "info", "PORT": "8080",
    }  # fmt: skip
    invoices = environment(person, person.workload("invoices", "billing"), "app", "billing")
    assert invoices["STRIPE_KEY"] == upstream_value(demo, "prod/billing/stripe-key")
    person.go("secrets/linked/?q=shop")
    person.look_dark_and_small()
    person.service("frontend")
    person.look_dark_and_small()
    assert page.locator("section[aria-labelledby=links-h]").get_by_text("In sync").count() == 2
    person.go(f"clusters/{CLUSTER}/secret-managers/well/usage/")
    person.look_dark_and_small()

    # Another name for the variable; the deploy takes the old one away.
    person.service("frontend")
    page.get_by_role("button", name="Actions for DB_PASSWORD").click()
    person.click("link", "Edit")
    person.look_dark_and_small()
    person.fill("Variable", "DB_PASS")
    person.send("#link-button", "/services/")
    person.deploy()
    assert environment(person, person.workload("frontend"), "web")["DB_PASS"] == upstream["password"]
    assert "DB_PASSWORD" not in environment(person, person.workload("frontend"), "web")

    # Nothing stays of what was there.
    unlink_all(person)
    person.go(f"clusters/{CLUSTER}/namespaces/shop/")
    page.get_by_role("button", name="Actions for SENTRY_DSN").click()
    person.click("link", "Unlink…")
    page.locator("main button.danger").click()
    page.wait_for_url(re.compile("/namespaces/"))
    person.deploy()
    assert {name: bare(person.workload(name)) for name in before} == {
        name: bare(template) for name, template in before.items()
    }


def test_what_others_made_is_taken_over_and_taken_away_again(person, page, demo):
    entry = foreigners.entry("password", DATABASE, property="password")
    objects = [
        foreigners.store(),
        foreigners.external("old-db", entry),
        foreigners.workload("old", {"env": [foreigners.variable("OLD_PASSWORD", "old-db", "password")]}),
    ]
    subprocess.run(
        [person.kubectl, "--kubeconfig", person.facts["kubeconfig"], "apply", "--validate=false", "-f", "-"],
        input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}), text=True, check=True,
        capture_output=True,
    )  # fmt: skip

    person.go(f"clusters/{CLUSTER}/found/")
    person.look_dark_and_small()
    page.get_by_label("Take over shop/old-db").check()
    person.click("button", "Take over what is ticked…")
    person.look_dark_and_small()
    person.click("button", "Refresh services")
    page.get_by_label(re.compile("Link .* as ")).first.check()
    person.click("button", "Link what is ticked")

    person.go(f"clusters/{CLUSTER}/found/")
    assert page.get_by_text("Linked", exact=True).first.is_visible()
    person.service("old")
    assert page.locator("section[aria-labelledby=links-h]").get_by_text("OLD_PASSWORD").is_visible()

    person.go(f"clusters/{CLUSTER}/import/")
    person.look_dark_and_small()
    person.go(f"clusters/{CLUSTER}/export/")
    person.look_dark_and_small()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    text = Path(downloading.value.path()).read_text()
    assert "kind: ExternalSecret" in text
    assert "OLD_PASSWORD" in text
    assert json.loads(upstream_value(demo, DATABASE))["password"] not in text
    assert demo["secret_access_key"] not in text


def test_names_are_found_without_javascript(person, page, demo, chromium):
    person.browse()
    access = page.locator("#access").input_value()
    plain = page.context.browser.new_context(java_script_enabled=False).new_page()
    plain.goto(f"{demo['address']}/accounts/login/?next=/o/acme/secrets/?access={access}")
    plain.locator("input[name=login]").fill("devops@example.com")
    plain.locator("input[name=password]").fill(PASSWORD)
    plain.get_by_role("button", name="Sign in").click()

    plain.get_by_role("link", name="Show 50 more").click()
    assert plain.locator("#names tr").count() == 50
    plain.locator("#q").fill("prod/shop/data")
    plain.get_by_role("button", name="Look").click()
    assert plain.locator("#names [data-row]").all_text_contents() == [DATABASE]
    plain.get_by_label(f"Choose {DATABASE}").check()
    plain.locator("[data-link]").click()
    plain.wait_for_url(re.compile("/link/"))

    assert plain.get_by_role("heading", name="Link a secret").is_visible()
