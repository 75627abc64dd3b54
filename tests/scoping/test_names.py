"""Names outside a role's prefixes: ten thousand questions, and no answer has one."""

import random
import re
from types import SimpleNamespace

import pytest
from django.test import RequestFactory
from django.urls import reverse

from accounts.models import Membership
from external_secrets import browsing, browsing_accesses, browsing_folders, usage_map
from external_secrets.browsing_search import Search
from external_secrets.limits import Limits
from external_secrets.models import ExternalSecret, InventoryEntry
from external_secrets.views import browse, linked, name_rows
from tests import factories
from tests.scoping.conftest import ROLES, make_limited

pytestmark = pytest.mark.django_db

QUESTIONS = 10_000
WORDS = ("prod", "shop", "zname", "api", "db", "key", "/", "-", "a", "", "z", "p", "%", "_", "arn:aws:", "o")


def as_seen(organization, user, **asked):
    """Return the request of a person that a view gets, and a look at the names by it."""
    membership = Membership.objects.prefetch_related("custom_roles").get(organization=organization, user=user)
    request = RequestFactory().get("/", asked)
    request.user, request.organization, request.membership = user, organization, membership
    request.authority, request.allows = membership.authority, membership.authority.allows
    request.htmx = SimpleNamespace(boosted=False, history_restore_request=False)
    return request


@pytest.fixture
def names(ground):
    """Hundreds of names of every kind, beside those that are there."""
    chance = random.Random(1)
    made = {"".join(chance.choices(WORDS, k=chance.randint(1, 6)))[:60] for _ in range(600)}
    access = ground.staging.accesses["mixed"]
    taken = set(access.inventory.values_list("name", flat=True))
    for name in made - taken - {""}:
        factories.make_entry(access, name, tags={"t": name[:20]})
    return access


def is_inside(request, name):
    return request.authority.allows(
        "secret:browse", cluster="staging", namespace="shop", secret=name
    ) or request.authority.allows("secret:browse", cluster="staging", namespace="znamespace", secret=name)


@pytest.mark.parametrize("role", ["names", "all three", "two at once"])
def test_ten_thousand_questions(role, ground, names):
    """Lists, counts, folders, rows, uses and gone names, by random beginnings, parts, tags, filters and cursors."""
    user = make_limited(ground.organization, *ROLES[role])
    request = as_seen(ground.organization, user)
    chance = random.Random(role)
    here = browse.Browsing(request)
    inside = [
        (one.pk, name)
        for one in here.accesses
        for name in InventoryEntry.objects.filter(access=one.pk).values_list("name", flat=True)
        if is_inside(request, name)
    ]
    every = list(names.inventory.values_list("name", flat=True))
    wrong = []
    for _ in range(QUESTIONS // 3 + 1):
        typed = "".join(chance.choices(WORDS, k=chance.randint(0, 4))) if chance.random() < 0.7 else (
            chance.choice(every)[: chance.randint(0, 12)]
        )  # fmt: skip
        search = Search.of(
            typed, contains=chance.random() < 0.3, only=chance.choice(["", "", "", "linked", "gone", "deleted"]),
            tags=[f"t={chance.choice(every)[:20]}"] if chance.random() < 0.1 else [],
        )  # fmt: skip
        after = f"{names.pk}:{chance.choice(every)}" if chance.random() < 0.3 else ""
        kind = chance.randrange(4)
        if kind == 0:
            found = browsing_folders.folders(here.scope, search.text)
            wrong += [
                one.prefix for one in found
                if not any(name.startswith(one.prefix) for _, name in inside)
            ]  # fmt: skip
        elif kind == 1 and search.is_plain and not search.text.startswith("arn:"):
            matching = [name for _, name in inside if name.startswith(search.text)]
            count = browsing.count(here.scope, search)
            wrong += [] if count == len(matching) else [(search.text, count)]
        else:
            page = browsing.page(here.scope, search, after)
            wrong += [row.name for row in page.rows if not is_inside(request, row.name)]
            if kind == 2:
                rows = name_rows.build(request, page, here.accesses, search, here.kept)
                wrong += [row for row in rows if "prod/zname" in row or "zname said" in row]

    assert wrong == []


def test_a_prefix_is_all_of_it_and_nothing_else(ground, names):
    """What is inside is found: a limit that hides everything would pass all of the above."""
    user = make_limited(ground.organization, *ROLES["all three"])
    request = as_seen(ground.organization, user)
    here = browse.Browsing(request)

    found, after = [], ""
    while True:
        page = browsing.page(here.scope, Search(), after)
        found += [(row.access_id, row.name) for row in page.rows]
        after = page.after
        if not after:
            break

    second = ground.staging.accesses["second"]
    wanted = {(names.pk, row.name) for row in names.inventory.filter(name__startswith="prod/shop/")}
    assert set(found) == wanted | {(second.pk, "prod/shop/db")}
    assert len(found) == len(set(found))


def test_how_many_names_there_are_is_not_told(ground):
    user = make_limited(ground.organization, *ROLES["all three"])
    authority = as_seen(ground.organization, user).authority

    found = browsing_accesses.listed(ground.organization, authority, "secret:browse")

    assert [(one.name, one.state.entries, one.reach) for one in found] == [
        ("mixed", 0, ("prod/shop/",)),
        ("second", 0, ("prod/shop/",)),
    ]


def test_who_uses_it_names_only_what_may_be_seen(ground):
    """A link of another namespace takes the same name."""
    access = ground.staging.accesses["mixed"]
    factories.make_link(
        service=ground.staging.services["znamespace"], access=access, key="prod/shop/db", variable="SAME"
    )
    factories.make_link(
        service=ground.staging.services["shop"], access=access, key="prod/shop/db", variable="SAME"
    )
    request = as_seen(ground.organization, make_limited(ground.organization, *ROLES["namespace"]))
    entry = access.inventory.get(name="prod/shop/db")

    found = usage_map.of(ground.organization, access, "prod/shop/db", entry, request.authority)
    rows = name_rows.build(request, browsing.Names([entry]), browse.Browsing(request).accesses, Search(), {})

    assert [str(service) for service in found.services] == ["shop/inside-api"]
    assert "shop/inside-api" in rows
    assert "znamespace" not in rows
    assert "more" not in rows


def test_the_list_of_links_has_no_other(ground):
    for role in ("all three", "two at once", "names"):
        request = as_seen(ground.organization, make_limited(ground.organization, *ROLES[role]))
        may = (ground.organization, request.authority, "external_secret:view")
        for text in (*WORDS, "zname_key", "prod/zname-db"):
            found = linked.filtered(ExternalSecret.objects.within(*may), {"q": text})

            assert all(link.key.startswith("prod/shop/") for link in found), (role, text)


def test_limits_of_a_link():
    from accounts.authority import Authority, Grant, Scope

    held = frozenset({"external_secret:manage", "external_secret:view"})
    limits = Limits(
        Authority(((Grant("r", held, Scope(namespaces=("shop",), prefixes=("prod/shop/",))),),)), "c"
    )

    def field(**values):
        wrong = limits.wrong(["shop"], values)
        return wrong and wrong[0]

    assert field(takes="value", key="prod/shop/db") is None
    assert field(takes="path", key="prod/shop/") is None
    assert field(takes="path", key="prod/shop/api/") is None
    assert field(takes="path", key="prod/") == "below"
    assert field(takes="tags", key="") == "tags"
    assert field(takes="keys", key="prod/zname") == "key"
    assert field(takes="value", key="arn:aws:secretsmanager:eu-west-3:1:secret:prod/shop/db-AbCdEf") == "key"
    assert limits.wrong(["web"], {"key": "prod/shop/db"})[0] == "key"
    assert limits.opens("shop")
    assert not limits.opens("web")


def test_the_addresses_of_the_search_are_as_they_were(ground, client):
    """By its address a name outside is as one that never was, whether an inventory has it or not."""
    user = make_limited(ground.organization, *ROLES["names"])
    client.force_login(user)
    access = ground.staging.accesses["mixed"].pk
    for there, never in (("prod/zname-db", "prod/qname-db"), ("zname/gone", "qname/gone")):
        answers = [_asked(client, access, name) for name in (there, never)]

        assert answers[0] == answers[1].replace("qname", "zname").replace("QNAME", "ZNAME")


def _asked(client, access, name):
    """Return what the pages of a secret, of a link and of a list say of a name, without what changes each time."""
    org = {"org": "acme"}
    shown = client.get(reverse("external_secrets:secret", kwargs=org), {"access": access, "name": name})
    link = client.get(reverse("external_secrets:link", kwargs=org), {"access": access, "key": name})
    lines = {"access": access, "lines": f"A={name}", "scope": "namespace", "namespace": "shop", "check": "1"}
    bulk = client.post(reverse("external_secrets:bulk", kwargs=org), lines)

    assert (shown.status_code, link.status_code, bulk.status_code) == (404, 200, 200)
    texts = "".join(one.content.decode() for one in (shown, link, bulk))
    return re.sub(r'csrfmiddlewaretoken" value="[^"]*"|nonce="[^"]*"|X-CSRFToken[^}]*', "", texts)
