"""Finding one's way: each page belongs to one entry of the navigation, and “Go to…” knows what tabs hide."""

import pytest

from config import context, palette_pages
from tests.world import PAGES

pytestmark = pytest.mark.django_db

PART = {"HX-Request": "true"}
# Of no section: the start leads on, and the palette lies over every page.
OF_NONE = {"accounts:organization", "palette"}


def test_every_page_belongs_to_a_section():
    sections = {name: context._section(name) for name in PAGES}

    assert {name for name, section in sections.items() if not section} == OF_NONE


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("settings/audit/", "settings/"),
        ("settings/tags/", "settings/"),
        ("tokens/new/", "settings/"),
        ("audit/", "audit/"),
        ("deploys/", "deploys/"),
        ("roles/", "team/"),
    ],
)
def test_one_entry_is_current(client, owner, path, entry):
    client.force_login(owner)
    page = client.get(f"/o/acme/{path}", follow=True).content.decode()
    navigation = page.partition('aria-label="Main"')[2].partition("</nav>")[0]

    assert navigation.count("aria-current") == 1
    assert f'href="/o/acme/{entry}" aria-current="page"' in navigation


def test_the_palette_knows_what_is_behind_tabs_and_ones_account(client, owner):
    client.force_login(owner)
    found = {
        typed: client.get("/o/acme/go-to/", {"q": typed}, headers=PART).content.decode()
        for typed in ("role", "token", "notif", "account", "signing", "invite", "default", "built")
    }

    assert '"/o/acme/roles/"' in found["role"]
    assert '"/o/acme/tokens/"' in found["token"]
    assert '"/o/acme/settings/notifications/"' in found["notif"]
    assert '"/account/sessions/"' in found["account"]
    assert '"/o/acme/settings/sign-in/"' in found["signing"]
    assert '"/o/acme/team/invite/"' in found["invite"]
    assert '"/o/acme/settings/tags/"' in found["default"]
    assert '"/o/acme/settings/built-in-store/"' in found["built"]


@pytest.mark.parametrize("who", ["owner", "admin", "devops", "auditor", "viewer"])
def test_no_result_and_no_tab_leads_to_a_refusal(client, organization, request, who):
    person = request.getfixturevalue(who)
    client.force_login(person)
    session = client.session
    session["proved_at"] = 9e12
    session.save()
    page = client.get("/o/acme/settings/").content.decode()
    tabs = page.partition('aria-label="Settings"')[2].partition("</nav>")[0]
    found = client.get("/o/acme/go-to/", {"q": "e"}, headers=PART).content.decode()
    links = {part.partition('"')[0] for text in (tabs, found) for part in text.split('href="')[1:]}

    assert "/o/acme/settings/" in links
    assert {link: client.get(link).status_code for link in links} == dict.fromkeys(links, 200)


@pytest.mark.parametrize("path", ["/o/acme/settings/rename/", "/account/second-factors/recovery-codes/"])
def test_the_address_of_a_form_is_answered_with_a_page(client, owner, path):
    client.force_login(owner)
    response = client.get(path)

    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert 'href="/"' in response.content.decode()


def test_all_of_the_palettes_pages_are_pages():
    assert {name for *_, name, _ in palette_pages._OF_ORGANIZATION} <= set(PAGES)
