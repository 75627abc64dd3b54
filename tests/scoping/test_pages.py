"""Every page and every fragment, as people whose roles are limited: nothing of what is outside is on any of them."""

import re
import uuid
from html import unescape
from urllib.parse import unquote

import pytest
from django.urls import reverse
from django.urls.converters import IntConverter, UUIDConverter

from external_secrets.models import ExternalSecret
from tests.scoping.conftest import FORBIDDEN, ROLES
from tests.world import PAGES, VIEWS

pytestmark = pytest.mark.django_db

_LINKED = re.compile(r'(?:href|hx-get|action)="(/o/acme/[^"#]*)')
# What changes something, or asks the manager or the cluster, is asked for elsewhere.
LEFT_OUT = ("/sync/", "/refresh/", "/delete/", "download=1&")
LONGEST = 400


def arguments(place, access, service, link, namespace, credential):
    return {
        "cluster": place.cluster.name, "access": access.name, "service": service.pk, "link": link.pk,
        "namespace": namespace, "number": 1, "step": "provider", "draft": link.pk, "credential": credential,
    }  # fmt: skip


# What a page is given where the ground has nothing of a kind.
NOTHING = {IntConverter: 999_999, UUIDConverter: uuid.UUID(int=7)}


def address(name, given, access):
    wanted = dict(given)
    if name == "external_secrets:refresh":
        wanted["access"] = access.pk
    kwargs = {
        key: wanted.get(key) or NOTHING.get(type(converter), "x")
        for key, converter in VIEWS[name].pattern.converters.items()
    }
    return reverse(name, kwargs={"org": "acme"} | kwargs)


def inside(ground):
    place = ground.staging
    access = place.accesses["mixed"]
    return arguments(
        place, access, place.services["shop"], place.links["shop"][0], "shop", "zcluster-credential"
    ), access


def told(response):
    headers = " ".join(f"{name}: {value}" for name, value in response.headers.items())
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return unescape(unquote(f"{headers} {body.decode()}"))


def searches(ground):
    """Return addresses that ask for names in every way that a page knows."""
    org = {"org": "acme"}
    browse, secret = (
        reverse("external_secrets:browse", kwargs=org),
        reverse("external_secrets:secret", kwargs=org),
    )
    link, bulk = reverse("external_secrets:link", kwargs=org), reverse("external_secrets:bulk", kwargs=org)
    linked, palette = reverse("external_secrets:linked", kwargs=org), reverse("palette", kwargs=org)
    access = ground.staging.accesses["mixed"].pk
    service = ground.staging.services["shop"].pk
    usage = reverse("external_secrets:usage", kwargs=org | {"cluster": "staging", "access": "mixed"})
    yield from (f"{browse}?filter={only}&{more}" for only in ("", "linked", "gone", "deleted") for more in (
        "", f"access={access}", f"service={service}", "q=prod", "q=name&mode=contains", "q=p&around=1", "freshness=1",
    ))  # fmt: skip
    yield from (f"{secret}?access={access}&name={name}" for name in ("prod/shop/db", "prod/shop/inside"))
    yield from (f"{link}?access={access}&key=prod/shop/db", f"{bulk}?access={access}&key=prod/shop/db")
    yield from (
        f"{linked}?{query}" for query in ("", "q=prod", "kind=several", "scope=namespace", "status=failed")
    )
    yield from (f"{palette}?q={typed}" for typed in ("", "a", "api", "z", "s", "prod"))
    yield from (
        f"{usage}?q=prod",
        reverse("external_secrets:export", kwargs=org | {"cluster": "staging"}) + "?download=1",
    )


def test_nothing_that_is_outside_is_on_any_page(limited, ground, client):
    """Every page of the table, every search, and every link that leads on from there, whole and in parts."""
    role, user = limited
    client.force_login(user)
    given, access = inside(ground)
    ahead = [address(name, given, access) for name in PAGES if "GET" in VIEWS[name].callback.methods]
    ahead += searches(ground)
    seen: set[str] = set()
    answered = 0
    while ahead and len(seen) < LONGEST:
        url = ahead.pop(0)
        if url in seen or any(part in url for part in LEFT_OUT):
            continue
        seen.add(url)
        for headers in ({}, {"HX-Request": "true"}):
            response = client.get(url, headers=headers)
            text = told(response)
            assert response.status_code < 500, url
            asked = unquote(unescape(url))
            for word in FORBIDDEN[role]:
                # What the one who asks has typed comes back.
                assert word not in text.replace(asked, "") or word in asked, (role, url, word)
            if response.status_code == 200:
                answered += 1
                ahead += [unescape(found) for found in _LINKED.findall(text)]

    assert answered > 60


def dead_ends(client, start="/o/acme/"):
    """Follow every link from a page on, and return those that lead to a refusal or to nothing, with where they are."""
    ahead, seen, found = [(start, "")], {start}, {}
    while ahead and len(seen) < LONGEST:
        url, where = ahead.pop(0)
        response = client.get(url, follow=True)
        if response.status_code >= 400:
            found[url] = (response.status_code, where)
            continue
        if response.streaming or "html" not in response.headers["Content-Type"]:
            continue
        for link in {unescape(link) for link in re.findall(r'href="(/[^"#]*)', response.content.decode())}:
            if link not in seen and not link.startswith("/static/"):
                seen.add(link)
                ahead.append((link, url))
    assert len(seen) > 10
    return found


def test_no_link_leads_a_limited_person_to_a_refusal(limited, ground, client):
    client.force_login(limited[1])

    assert dead_ends(client) == {}


@pytest.mark.parametrize("who", ["owner", "admin", "devops", "auditor", "viewer"])
def test_no_link_leads_anybody_to_a_refusal(who, ground, client, request):
    client.force_login(request.getfixturevalue(who))

    assert dead_ends(client) == {}


def outside(ground):
    """Return the arguments of what lies in another cluster, and of what lies in another namespace."""
    far, near = ground.other, ground.staging
    yield (
        "zcluster",
        arguments(far, far.accesses["far"], far.services["shop"], far.links["shop"][0], "shop", "none"),
        far.accesses["far"],
    )
    yield "znamespace", arguments(
        near, near.accesses["apart"], near.services["znamespace"], near.links["znamespace"][0], "znamespace",
        "none",
    ), near.accesses["apart"]  # fmt: skip


@pytest.mark.parametrize("name", sorted(PAGES))
def test_what_is_outside_is_not_there(name, limited, ground, client):
    """A page of it is answered as one of something that never was, whoever asks and however."""
    role, user = limited
    client.force_login(user)
    keys = VIEWS[name].pattern.converters.keys() & {"cluster", "access", "service", "link", "namespace"}
    nothing = {
        "cluster": "never-was", "access": "never-was", "namespace": "never-was",
        "service": "00000000-0000-4000-8000-000000000000", "link": "00000000-0000-4000-8000-000000000000",
    }  # fmt: skip
    before = ground.words
    for word, given, access in outside(ground):
        # The cluster itself is there, and to some of them all of its namespaces.
        is_there = word == "znamespace" and (role in ("cluster", "names") or keys == {"cluster"})
        if is_there or not keys:
            continue
        wanted = nothing | {"cluster": given["cluster"] if word == "znamespace" else "never-was"}
        url, never = (
            address(name, given, access),
            reverse(
                name,
                kwargs={"org": "acme"}
                | {key: ({**given, **wanted})[key] for key in VIEWS[name].pattern.converters}
                | ({"access": nothing["link"]} if name == "external_secrets:refresh" else {}),
            ),
        )
        for method in ("get", "post"):
            there, nowhere = getattr(client, method)(url), getattr(client, method)(never)

            assert there.status_code in (403, 404, 405), (role, word, url)
            assert there.status_code == nowhere.status_code, (role, word, url)
            if there.status_code == 404:
                assert there.content.replace(url.encode(), b"") == nowhere.content.replace(
                    never.encode(), b""
                )

    assert ground.words == before


@pytest.mark.parametrize("limited", sorted(ROLES.keys() - {"cluster", "namespace"}), indirect=True)
def test_a_link_of_a_name_outside_is_not_there(ground, client, limited):
    client.force_login(limited[1])
    for link in ground.staging.links["names"]:
        for page in ("edit", "unlink", "sync", "state"):
            url = reverse(f"external_secrets:{page}", kwargs={"org": "acme", "link": link.pk})

            assert client.get(url).status_code in (404, 405)
            assert client.post(url).status_code in (404, 405)

    assert (
        ExternalSecret.objects.filter(pk__in=[one.pk for one in ground.staging.links["names"]]).count() == 4
    )


def test_what_is_inside_is_there(limited, ground, client):
    _, user = limited
    client.force_login(user)
    place = {"org": "acme", "cluster": "staging"}
    link = ground.staging.links["shop"][0]

    browsed = told(client.get(reverse("external_secrets:browse", kwargs={"org": "acme"})))
    linked = told(client.get(reverse("external_secrets:linked", kwargs={"org": "acme"})))
    service = client.get(
        reverse("external_secrets:service", kwargs=place | {"service": ground.staging.services["shop"].pk})
    )
    edit = client.get(reverse("external_secrets:edit", kwargs={"org": "acme", "link": link.pk}))

    assert "prod/shop/api/token" in browsed
    assert "prod/shop/inside" in linked
    assert (service.status_code, edit.status_code) == (200, 200)
    assert "inside-api" in told(client.get(reverse("clusters:services", kwargs=place)))


def test_who_has_no_limit_sees_all_of_it(ground, client, devops):
    client.force_login(devops)

    browsed = told(client.get(reverse("external_secrets:browse", kwargs={"org": "acme"})))

    assert all(name in browsed for name in OUT)


OUT = ("prod/zname-db", "znamespace/one", "zcluster/one", "prod/shop/db")
