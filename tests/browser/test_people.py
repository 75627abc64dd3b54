"""People and roles by clicking: a role of one's own, a person who comes in by a link, what that person may, and its end."""

import csv
import email
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import complains
from tests.browser.test_ways_in import Person

pytestmark = pytest.mark.browser

# A cluster and a role that no other test of a browser uses.
CLUSTER, ROLE = "people", "Shop linker"
NEW = "lin.moreau@example.com"
OWN_PASSWORD = "a sentence that is easy to keep"


class Colleague(Person):
    """A person who links secrets of one cluster."""

    def link(self, name: str, namespace: str, service: str) -> None:
        """Open the form of a link with a name and a place, and send it."""
        self.go(f"clusters/{CLUSTER}/services/?namespace={namespace}")
        self.click("link", service)
        self.click("link", "Link a secret")
        self.page.locator("#q").fill(name)
        self.page.locator("#names tr").filter(has_text=name).first.wait_for()
        self.page.locator("#names tr").filter(has_text=name).locator("[data-link]").first.click()
        self.page.locator("#link-form").wait_for()

    def status(self, path: str) -> int:
        return int(self.page.request.get(f"{self.demo['address']}/o/acme/{path}").status)


@pytest.fixture
def owner(page, demo) -> Colleague:
    """The owner, with a cluster and an access whose names were read."""
    person = Colleague(page, demo)
    person.sign_in("owner")
    person.go("clusters/")
    if not page.get_by_role("link", name=CLUSTER, exact=True).count():
        person.connect({}, CLUSTER, "plain")
        person.begin(CLUSTER, "AWS Secrets Manager", "Access key")
        person.fill("Name", "crew")
        person.fill("Region", "eu-west-3")
        person.fill("Access key ID", demo["access_key_id"])
        person.fill("Secret access key", demo["secret_access_key"])
        person.click("button", "Test access")
        person.click("button", "Add crew")
        person.click("link", "Browse secrets")
        page.get_by_text(re.compile(r"\d+ names, read ")).wait_for(timeout=30_000)
    return person


@pytest.fixture
def newcomer(page, demo) -> Iterator[Colleague]:
    """A second browser, in which nobody is signed in; what it complains of but a refusal fails the test."""
    complaints: list[str] = []
    other = page.context.browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    tab = other.new_page()
    tab.set_default_timeout(15_000)
    refused = ("status of 403", "status of 404", "Response Status Error Code 403", "htmx:responseError")
    tab.on(
        "console",
        lambda one: (
            complaints.append(one.text)
            if complains(one) and not any(word in one.text for word in refused)
            else None
        ),
    )
    yield Colleague(tab, demo)
    other.close()
    assert complaints == []


def mailed_link(demo: dict[str, Any], address: str, pattern: str, seconds: float = 20) -> str:
    """Return the link of the newest mail to an address, out of the folder that the demo mails into."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for path in sorted(Path(demo["mail"]).iterdir(), key=lambda one: one.stat().st_mtime, reverse=True):
            for raw in re.split(r"\n-{79}\n", path.read_text()):
                mail = email.message_from_string(raw.lstrip("\n"))
                if mail["To"] == address:
                    text = mail.get_payload(decode=True).decode()
                    if found := re.search(pattern, text):
                        return found[0]
        time.sleep(0.2)
    raise AssertionError(f"no mail to {address}")


def make_role(owner: Colleague) -> None:
    """Make a role that links in `sho*` of `peopl*`; what it reaches shows before it is kept."""
    page = owner.page
    owner.go("team/")
    page.get_by_role("link", name="Roles", exact=True).click()
    owner.look_dark_and_small()
    owner.click("link", "New role")
    page.locator("#id_name").fill(ROLE)
    page.get_by_label("Browse the names of secrets").check()
    page.get_by_label("Link secrets to services and remove links").check()
    # What is typed next would end the request before it, of which the browser complains.
    page.wait_for_load_state("networkidle")
    for field, text in (("clusters", "peopl*"), ("namespaces", "sho*")):
        with page.expect_response("**/roles/reach/"):
            page.locator(f"#id_{field}").fill(text)
    page.locator("#preview", has_text=re.compile(r"1 of \d+ cluster")).wait_for()
    assert page.locator("#preview .tag", has_text=re.compile(f"^{CLUSTER}$")).is_visible()
    owner.look_dark_and_small()
    owner.click("button", "Make role")
    assert page.get_by_role("link", name=ROLE, exact=True).is_visible()


def invite_by_link(owner: Colleague) -> str:
    """Invite whoever has the link to the role alone, and return the link."""
    page = owner.page
    owner.go("team/invite/")
    owner.look_dark_and_small()
    page.get_by_label("By a link").check()
    page.get_by_label(re.compile("^Viewer")).uncheck()
    page.get_by_label(re.compile(f"^{ROLE}")).check()
    owner.click("button", "Invite")
    owner.look_dark_and_small()
    return str(page.locator("main .copy code, main code").first.text_content()).strip()


def come_in(newcomer: Colleague, link: str) -> None:
    """Open the link, name an address, open the mail's link, and make an account."""
    page = newcomer.page
    page.goto(link)
    newcomer.look()
    newcomer.look_dark_and_small()
    newcomer.fill("Your e-mail address", NEW)
    newcomer.click("button", "Send me a link")
    own = mailed_link(newcomer.demo, NEW, r"http\S+/join/\S+")
    assert own != link
    page.goto(own)
    newcomer.look_dark_and_small()
    newcomer.fill("Your name", "Lin Moreau")
    newcomer.fill("Password", OWN_PASSWORD)
    newcomer.click("button", "Make an account and accept")
    assert page.get_by_text(ROLE).count()


def work(newcomer: Colleague) -> None:
    """See one cluster and one namespace, link a secret there, and be refused elsewhere."""
    page = newcomer.page
    newcomer.go("clusters/")
    newcomer.look_dark_and_small()
    assert page.locator("main tbody .name").all_text_contents() == [CLUSTER]
    entries = [text.strip() for text in page.locator(".nav a").all_text_contents()]
    assert entries == ["Clusters", "Secrets", "Settings"]
    newcomer.go(f"clusters/{CLUSTER}/services/")
    newcomer.look_dark_and_small()
    told = page.locator("main").inner_text()
    assert "frontend" in told
    assert "billing" not in told
    assert "invoices" not in told
    newcomer.link("prod/shop/stripe-key", "shop", "api")
    places = page.locator("#id_place option").all_text_contents()
    assert not any("billing" in place or "invoices" in place for place in places)
    newcomer.look_dark_and_small()
    page.locator("#link-button").click()
    page.wait_for_url(re.compile("/services/"))
    assert page.get_by_text("STRIPE_KEY").first.is_visible()
    newcomer.look_dark_and_small()

    elsewhere = (
        f"clusters/{CLUSTER}/namespaces/billing/",
        f"clusters/{CLUSTER}/settings/",
        "team/",
        "audit/",
    )
    assert [newcomer.status(path) for path in elsewhere] == [404, 403, 403, 403]
    newcomer.go("audit/")
    assert page.get_by_role("heading", name="Your role does not allow this").is_visible()


def review(owner: Colleague) -> None:
    """Find what the newcomer did, open what changed, and export just that."""
    page = owner.page
    owner.go("audit/")
    page.locator("#who").select_option(label="Lin Moreau")
    page.locator("#event-list code", has_text="external_secret.linked").first.wait_for()
    assert page.locator("#event-list code", has_text="permission.refused").count()
    page.wait_for_load_state("networkidle")
    page.locator("#action").select_option("external_secret.linked")
    page.locator(".chip").nth(1).wait_for()
    owner.look_dark_and_small()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(Path(downloading.value.path()).read_text().splitlines()))
    assert [row["action"] for row in rows if row["action"]] == ["external_secret.linked"]
    with page.expect_download() as downloading:
        page.get_by_role("link", name="JSONL").click()
    lines = [json.loads(line) for line in Path(downloading.value.path()).read_text().splitlines()]
    assert "Lin Moreau" in json.dumps(lines)

    page.goto(f"{owner.demo['address']}/o/acme/audit/?action=role.changed")
    page.locator("#event-list summary").first.click()
    page.locator("table.changes").wait_for()
    owner.look_dark_and_small()


def lower(owner: Colleague) -> None:
    """Take linking out of the role."""
    page = owner.page
    owner.go("roles/")
    page.get_by_role("link", name=ROLE, exact=True).click()
    page.get_by_label("Link secrets to services and remove links").uncheck()
    owner.look_dark_and_small()
    owner.click("button", "Save role")


def remove(owner: Colleague) -> None:
    page = owner.page
    owner.go("team/")
    page.get_by_role("link", name="Lin Moreau", exact=True).click()
    owner.look_dark_and_small()
    owner.click("link", "Remove…")
    page.locator("main input[name=name]").fill(NEW)
    owner.look_dark_and_small()
    page.locator("main button.danger").click()
    page.wait_for_url(re.compile("/team/$"))


def test_a_person_comes_in_works_in_one_place_and_goes(owner, newcomer, page, demo):
    make_role(owner)
    come_in(newcomer, invite_by_link(owner))
    work(newcomer)

    # The form is open when the role is lowered: what is sent next is refused.
    newcomer.link("prod/shop/sentry-dsn", "shop", "api")
    lower(owner)
    newcomer.page.locator("#link-button").click()
    newcomer.page.get_by_role("alert").filter(has_text="Your role does not allow this").wait_for()
    newcomer.go(f"clusters/{CLUSTER}/services/?namespace=shop")
    newcomer.click("link", "api")
    assert newcomer.page.get_by_role("link", name="Link a secret").count() == 0
    assert newcomer.page.get_by_text("STRIPE_KEY").first.is_visible()
    assert newcomer.page.get_by_text("SENTRY_DSN").count() == 0
    review(owner)

    # A link that was made and revoked lets nobody in, and who is removed is out with the next click.
    link = invite_by_link(owner)
    owner.go("team/")
    page.get_by_role("button", name=re.compile("^Actions for the invitation")).first.click()
    page.get_by_role("button", name="Revoke").click()
    remove(owner)
    assert newcomer.page.goto(f"{demo['address']}/o/acme/clusters/").status == 404
    newcomer.page.goto(link)
    newcomer.page.get_by_role("heading", name="This link is not good any more").wait_for()
