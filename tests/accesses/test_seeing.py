"""What an access sees: below its prefix, with its tags; everything else is as if it was not there."""

import datetime

import pytest

from accesses import providers, seeing, services, trials
from accesses.providers import Entry, Page, Writes
from accesses.wanted import Values
from accounts.models import AuditEvent
from credentials.clouds import errors
from external_secrets import browsing, inside, inventory
from external_secrets import services as links
from external_secrets.models import InventoryEntry, InventoryState
from tests import factories
from tests.accesses import worlds
from tests.accesses.worlds import Sandbox

pytestmark = pytest.mark.django_db

KEYS = {"access_key_id": "AKIATESTTESTTESTTEST", "secret_access_key": "s" * 40}


class Reads:
    """A client that remembers what it was asked."""

    def __init__(self, *entries: Entry, size: int = 100) -> None:
        self.entries, self.size, self.asked = list(entries), size, []

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        self.asked.append(prefix)
        at = int(cursor or 0)
        found = [one for one in self.entries if one.name.startswith(prefix)]
        following = str(at + self.size) if at + self.size < len(found) else ""
        return Page(found[at : at + self.size], following)

    def whoami(self) -> str:
        return "somebody"

    def probe(self, entries):
        return []

    def statement(self, actions):
        return ""


class Tells(Reads):
    def changes(self, since, cursor=""):
        return Page(self.entries)


class Full(Tells):
    def __init__(self, *entries: Entry) -> None:
        super().__init__(*entries)
        self.written: list[str] = []

    def create(self, name, value, tags):
        self.written.append(name)
        return name

    def put(self, name, value):
        self.written.append(name)

    def tag(self, name, tags):
        self.written.append(name)

    def delete(self, name):
        self.written.append(name)

    def restore(self, name):
        self.written.append(name)


def entry(name: str, **tags: str) -> Entry:
    return Entry(name=name, reference=name, tags=tags)


def access_of(prefix: str = "", **fields):
    return factories.make_access(prefix=prefix, credential=KEYS, **fields)


@pytest.mark.parametrize(
    ("asked", "wanted", "found"),
    [
        ("", "prod/", ["prod/a", "prod/b"]),
        ("pr", "prod/", ["prod/a", "prod/b"]),
        ("prod/a", "prod/a", ["prod/a"]),
        ("staging/", None, []),
        ("prodigy", None, []),
    ],
)
def test_the_manager_is_asked_with_the_longer_prefix_and_for_nothing_else(asked, wanted, found):
    manager = Reads(*map(entry, ("dev/a", "prod/a", "prod/b", "prodigy")))
    narrowed = seeing.around(manager, access_of("prod/"))

    page = narrowed.page(asked)

    assert [one.name for one in page.entries] == found
    assert manager.asked == ([wanted] if wanted else [])


def test_pages_without_anything_to_show_are_passed_over():
    others = [entry(f"a{n}", team="web") for n in range(6)]
    manager = Reads(*others, entry("z", team="shop"), size=2)
    narrowed = seeing.around(manager, access_of(tags={"team": "shop"}, only_tagged=True))

    page = narrowed.page()

    assert [one.name for one in page.entries] == ["z"]
    assert page.cursor == ""


@pytest.mark.parametrize("kind", [Reads, Tells, Full])
def test_what_the_client_can_do_it_can_do_through_it_too(kind):
    manager = kind(entry("prod/a"))
    narrowed = seeing.around(manager, access_of("prod/"))

    assert isinstance(narrowed, providers.TellsChanges) == isinstance(manager, providers.TellsChanges)
    assert isinstance(narrowed, Writes) == isinstance(manager, Writes)
    assert narrowed is not manager


def test_changes_elsewhere_are_not_told():
    narrowed = seeing.around(Tells(entry("dev/a"), entry("prod/a")), access_of("prod/"))

    told = narrowed.changes(datetime.datetime.now(datetime.UTC))

    assert [one.name for one in told.entries] == ["prod/a"]


@pytest.mark.parametrize(
    "act",
    [
        lambda m, name: m.create(name, "v", {}),
        lambda m, name: m.put(name, "v"),
        lambda m, name: m.tag(name, {}),
        lambda m, name: m.delete(name),
        lambda m, name: m.restore(name),
    ],
)
def test_nothing_is_written_outside(act):
    manager = Full()
    narrowed = seeing.around(manager, access_of("prod/"))

    act(narrowed, "prod/a")
    with pytest.raises(errors.NotValid, match="begin with prod/"):
        act(narrowed, "dev/a")

    assert manager.written == ["prod/a"]


def test_an_access_that_sees_everything_has_the_client_itself():
    manager = Reads()

    assert seeing.around(manager, access_of()) is manager
    assert seeing.around(manager, access_of(tags={"team": "shop"})) is manager


@pytest.mark.sandbox
def test_inventory_search_and_test_show_nothing_else(request):
    found = worlds.of("aws-secrets-manager", "static", Sandbox(request))
    prefix = found.names[0][: found.names[0].index("/") + 1]
    mine = {name for name in found.names if name.startswith(prefix)}
    access = worlds.make_access("aws-secrets-manager", found, found.good, prefix=prefix)

    result = trials.try_access(access)
    inventory.read_all(access)
    live = browsing.live(access, "")
    elsewhere = browsing.live(access, next(name for name in found.names if name not in mine))

    assert 0 < len(mine) < len(found.names)
    assert set(InventoryEntry.objects.values_list("name", flat=True)) == mine
    assert all(name in mine for name in result.names)
    assert all(row.name in mine for row in live.rows)
    assert elsewhere.rows == []


@pytest.mark.sandbox
def test_a_test_says_that_nothing_begins_so(request):
    found = worlds.of("aws-secrets-manager", "static", Sandbox(request))
    access = worlds.make_access("aws-secrets-manager", found, found.good, prefix="nowhere/")

    result = trials.try_access(access)

    assert result.usable
    assert "No secret begins with nowhere/ yet." in [fact.text for fact in result.facts]


# -- links ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "about"),
    [
        ({"key": "prod/db"}, ""),
        ({"key": "arn:aws:secretsmanager:eu-west-3:123456789012:secret:prod/db-AbCdEf"}, ""),
        ({"key": "dev/db"}, "key"),
        ({"key": "arn:aws:secretsmanager:eu-west-3:123456789012:secret:dev/db-AbCdEf"}, "key"),
        ({"takes": "keys", "key": "dev/db"}, "key"),
        ({"takes": "path", "key": "prod/shop/"}, ""),
        ({"takes": "path", "key": "pro"}, "below"),
        ({"takes": "tags", "tags": {"team": "shop"}}, "tags"),
    ],
)
def test_links_stay_inside_of_the_prefix(values, about):
    access = access_of("prod/")

    found = inside.wrong(access, values)

    assert (found[0] if found else "") == about
    assert found is None or "prod/" in found[1]


def test_links_stay_with_the_tags():
    access = access_of(tags={"team": "shop"}, only_tagged=True)
    InventoryState.objects.create(access=access, read_at=datetime.datetime.now(datetime.UTC))
    factories.make_entry(access, "prod/db", tags={"team": "shop"})

    assert inside.wrong(access, {"key": "prod/db"}) is None
    assert inside.wrong(access, {"key": "prod/other"})[0] == "key"
    assert inside.wrong(access, {"takes": "path", "key": "prod/"})[0] == "below"
    assert inside.wrong(access, {"takes": "tags", "tags": {"env": "prod"}})[0] == "tags"
    assert inside.wrong(access, {"takes": "tags", "tags": {"env": "prod", "team": "shop"}}) is None


def test_the_service_refuses_what_is_outside_and_keeps_what_is_there(devops):
    service = factories.make_service(namespace="shop")
    access = factories.make_access(cluster=service.cluster)
    old = factories.make_link(service=service, access=access, key="dev/old")
    access.prefix = "prod/"
    access.save()
    place = links.Place.of(service)
    values = {"takes": "value", "key": "dev/new", "variable": "NEW"}

    with pytest.raises(links.NotAllowed, match="begin with prod/"):
        links.link(access=access, place=place, by=devops, values=values)
    kept = links.change(
        link=old, access=access, place=place, values={"takes": "value", "key": "dev/old", "variable": "OTHER"},
        by=devops, seen_version=old.updated_at.isoformat(),
    )  # fmt: skip

    assert kept.variable == "OTHER"
    assert inside.is_outside(kept)


# -- changing it ---------------------------------------------------------------------------------------------
def change(access, by, **values):
    wanted = Values(
        method=access.method, configuration=access.configuration, credential=access.credential,
        namespaces=access.namespaces, **values,
    )  # fmt: skip
    fresh = wanted.is_new_to(access)
    services.change(access=access, values=wanted, result=None, seen_version=access.version, by=by)
    return fresh


def test_a_changed_prefix_is_tried_told_and_read_anew(devops, django_capture_on_commit_callbacks):
    access = access_of("dev/")

    with django_capture_on_commit_callbacks(execute=True):
        fresh = change(access, devops, prefix="prod/", tags={"team": "shop"}, refresh_seconds=900)

    access.refresh_from_db()
    told = str(AuditEvent.objects.get(action="access.changed").details)
    assert fresh
    assert (access.prefix, access.tags, access.refresh_seconds) == ("prod/", {"team": "shop"}, 900)
    assert all(word in told for word in ("dev/", "prod/", "team=shop", "900 seconds"))
    assert InventoryState.objects.filter(access=access).exists()


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"prefix": "prod/*"}, "prefix"),
        ({"prefix": "a" * 201}, "prefix"),
        ({"tags": "team"}, "tags"),
        ({"only_tagged": "true"}, "only_tagged"),
        ({"refresh_seconds": "7"}, "refresh_seconds"),
    ],
)
@pytest.mark.parametrize("slug", providers.PROVIDERS)
def test_every_method_refuses_what_cannot_be(slug, sent, field):
    for method in providers.PROVIDERS[slug].methods:
        form = method.form(sent)

        assert field in form.errors, (slug, method.slug)


@pytest.mark.parametrize("slug", providers.PROVIDERS)
def test_every_method_asks_for_it_once(slug):
    for method in providers.PROVIDERS[slug].methods:
        shown = [one.name for group in method.form().groups() for row in group.rows for one in row.fields]

        assert [name for name in shown if name in method.form.SEES] == list(method.form.SEES)
        assert not set(method.form.SEES) & set(method.form.public_fields())


@pytest.mark.parametrize("page", ["wizard", "policy"])
def test_pages_offer_every_provider_under_its_heading(page, organization, devops, sign_in):
    factories.make_cluster(organization=organization, name="prod")
    browser = sign_in(devops)
    at = "/o/acme/clusters/prod/secret-managers/policy/"
    if page == "wizard":
        at = browser.post("/o/acme/clusters/prod/secret-managers/new/").headers["Location"]

    text = browser.get(at).content.decode()
    main = text[text.index("<main") :]

    places = [main.index(f">{heading}</h") for heading, _ in providers.grouped(providers.PROVIDERS.values())]
    assert places == sorted(places)
    for provider in providers.PROVIDERS.values():
        mark = f'value="{provider.slug}"' if page == "wizard" else f"?provider={provider.slug}"
        assert mark in main
        assert provider.label in main
