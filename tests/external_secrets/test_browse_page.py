"""The browse page: what it lists, what it says instead, and how it is asked."""

import datetime
import html
import re
from urllib.parse import parse_qs, parse_qsl

import pytest
from django.utils import timezone

from accesses import providers
from accounts import roles
from external_secrets.models import InventoryState
from tests import factories
from tests.external_secrets.manager import ACCOUNT, FakeManager, refused

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def shown(response):
    return re.findall(r'<a class="secret-name name"[^>]*>([^<]*)</a>', response.content.decode())


def more(response):
    found = re.search(r'id="more" href="([^"]*)"', response.content.decode())
    return found[1].replace("&amp;", "&") if found else ""


@pytest.fixture
def browse(sign_in, devops, url):
    client = sign_in(devops)
    return lambda query=None, headers=None: client.get(url("browse"), query or {}, headers=headers or {})


class TestTheList:
    def test_names_with_their_facts(self, browse, access, service, fill):
        fill("prod/db", "prod/unused")
        factories.make_link(service=service, access=access, key="prod/db")

        response = browse()

        text = response.content.decode()
        assert shown(response) == ["prod/db", "prod/unused"]
        assert f">shop/{service.name}</a>" in text
        assert "2 names, read" in text
        assert response.headers["Cache-Control"] == "no-store"

    def test_fifty_at_a_time_with_a_link_that_works_without_scripts(self, browse, fill, access):
        names = [f"n{number:03}" for number in range(120)]
        fill(*names)
        seen, response = [], browse()
        seen += shown(response)
        while more(response):
            assert len(seen) < len(names)
            query = dict(parse_qsl(more(response)[1:]))
            response = browse(query)
            seen += shown(response)

        assert seen == names
        assert query["after"] == f"{access.pk}:n099"

    def test_more_rows_for_htmx_are_rows_and_a_new_foot(self, browse, access, fill):
        fill(*(f"n{number:03}" for number in range(120)))

        response = browse({"access": access.pk, "after": f"{access.pk}:n049"}, HTMX)

        text = response.content.decode()
        assert text.strip().startswith("<tr>")
        assert len(shown(response)) == 50
        assert 'hx-swap-oob="true"' in text
        assert "<html" not in text
        assert "HX-Replace-Url" not in response.headers

    def test_typing_answers_a_part_and_replaces_the_url(self, browse, access, fill):
        fill("prod/a", "test/a")

        response = browse({"access": access.pk, "q": "test/"}, HTMX)

        assert shown(response) == ["test/a"]
        assert "<html" not in response.content.decode()
        assert response.headers["HX-Replace-Url"].endswith(f"?access={access.pk}&q=test%2F")
        assert "HX-Request" in response.headers["Vary"]

    def test_folders_and_crumbs(self, browse, access, fill):
        fill("prod/api/a", "prod/api/b", "prod/c")

        text = browse({"q": "prod/"}).content.decode()

        assert re.search(r'href="\?access=[^"]*q=prod%2Fapi%2F"', text)
        assert re.search(r"api/ <span>2<", text)
        assert re.search(r'q=prod%2F" aria-current="page">prod/</a>', text)

    @pytest.mark.parametrize("q", ["%", "_", "'; DROP TABLE x; --", "<script>", "🔑", "\x00", "a" * 9000])
    def test_wild_prefixes_are_harmless(self, browse, access, fill, q):
        fill("a", "b")

        response = browse({"q": q}, HTMX)

        assert response.status_code == 200
        assert "<script>" not in response.content.decode()

    @pytest.mark.parametrize("query", [{"after": "\x00"}, {"access": ""}, {"service": ""}, {"cursor": "x"}])
    def test_wild_parameters_are_harmless(self, browse, access, fill, query):
        fill("a")

        assert browse(query).status_code == 200

    def test_the_number_of_queries_does_not_grow(
        self, browse, access, cluster, service, fill, django_assert_max_num_queries
    ):
        fill(*(f"prod/{number}/x" for number in range(60)))
        for number in range(30):
            factories.make_link(service=service, access=access, key=f"prod/{number}/x", variable=f"V{number}")
        for _ in range(10):
            factories.make_access(cluster=cluster)

        with django_assert_max_num_queries(12):
            response = browse({"access": access.pk})

        assert len(shown(response)) == 50

    def test_a_chosen_service_is_carried_to_the_link(self, browse, access, service, fill):
        fill("prod/db")

        text = browse({"service": service.pk}).content.decode()

        assert f"Choose a secret for shop/{service.name}" in text
        assert f"key=prod%2Fdb&amp;service={service.pk}" in text

    def test_a_field_that_was_typed_is_carried_to_the_form(
        self, browse, sign_in, devops, access, service, fill
    ):
        fill("prod/shop/database")
        page = browse({"q": "prod/shop/database#password"}).content.decode()
        (link,) = re.findall(r'href="([^"]+)" data-link', page)

        form = sign_in(devops).get(html.unescape(link)).context["form"]

        assert (form["key"].value(), form["json_field"].value()) == ("prod/shop/database", "password")
        assert form["variable"].value() == "DATABASE_PASSWORD"

    def test_above_and_below_the_names_stands_one_count(self, browse, access, fill):
        fill(*(f"prod/{number:04}" for number in range(1300)))

        text = browse().content.decode()

        assert text.count("1300 names") == 2
        assert "More than" not in text
        assert "More than 1000 names" in browse({"q": "prod/"}).content.decode()

    def test_a_chosen_service_begins_with_an_access_of_its_cluster(self, browse, organization, access, fill):
        other = factories.make_cluster(organization=organization, name="zeta")
        there = factories.make_access(cluster=other, name="zeta-aws")
        service = factories.make_service(cluster=other)
        fill("of-zeta", of=there)
        fill("of-prod")

        assert shown(browse({"service": service.pk})) == ["of-zeta"]


class TestInsteadOfTheList:
    def test_no_access_yet(self, browse):
        assert "No secret manager access yet" in browse().content.decode()

    def test_no_access_on_the_services_cluster(self, browse, organization, access, fill):
        service = factories.make_service(
            cluster=factories.make_cluster(organization=organization, name="bare")
        )

        assert "bare has no secret manager access yet" in browse({"service": service.pk}).content.decode()

    def test_no_match_names_the_prefix(self, browse, access, fill):
        fill("a")

        text = browse({"q": "zz"}).content.decode()

        assert "No name begins with zz" in text
        assert "Clear the filter" in text

    def test_an_empty_manager(self, browse, access, fill):
        fill()

        assert "aws sees no secret" in browse().content.decode()

    def test_before_the_first_reading_the_manager_is_asked_live(self, browse, access, monkeypatch):
        manager = FakeManager("prod/a", "prod/b", "test/a", size=1).use(monkeypatch)

        response = browse({"q": "prod/"})

        assert shown(response) == ["prod/a"]
        assert manager.calls == [("prod/", "")]
        assert "Asked live" in response.content.decode()
        assert "cursor=1" in more(response)

    def test_a_refusal_says_what_is_missing_and_offers_free_text(self, browse, access, manager):
        manager.error = refused()

        text = browse({"q": "prod/db"}).content.decode()

        assert "Access denied: the names cannot be listed" in text
        assert "may not list secrets" in text
        assert ">secretsmanager:ListSecrets</code>" in text
        assert 'name="key" value="prod/db"' in text
        assert "No name begins with" not in text

    def test_a_refusal_that_is_known_is_not_asked_for_again(self, browse, access, manager):
        InventoryState.objects.create(access=access, cause="refused", error="No.", permission="x:List")

        text = browse().content.decode()

        assert "x:List" in text
        assert manager.calls == []

    def test_an_unreachable_manager_is_not_a_refusal(self, browse, access, manager):
        manager.error = providers.NotReachable("No answer in 10 s.", "Check the network.")

        text = browse().content.decode()

        assert "Unreachable" in text
        assert "Check the network." in text
        assert "Missing permission" not in text

    def test_old_names_stay_with_the_reason_why_they_are_old(self, browse, access, fill):
        fill("a")
        InventoryState.objects.update(
            cause="unreachable", error="No answer.", read_at=timezone.now() - datetime.timedelta(hours=2)
        )

        response = browse()

        assert shown(response) == ["a"]
        assert "the names could not be read anew" in response.content.decode()
        assert "2 h ago" in response.content.decode()


class TestRefresh:
    def test_it_asks_a_worker_and_goes_back(self, sign_in, devops, url, access, asked):
        response = sign_in(devops).post(url("refresh", access=access.pk), {"q": "prod/"})

        assert asked == [str(access.pk)]
        assert response.headers["Location"].endswith(f"/secrets/?access={access.pk}&q=prod%2F")

    def test_the_page_waits_for_the_reading(self, sign_in, devops, url, browse, access, fill):
        fill("a")
        sign_in(devops).post(url("refresh", access=access.pk))

        page = browse().content.decode()
        part = browse({"access": access.pk, "freshness": "1"}, HTMX)

        assert "Reading the names" in page
        assert 'hx-trigger="every 2s"' in page
        assert "Reading the names" in part.content.decode()
        assert "HX-Trigger" not in part.headers

    def test_the_page_shows_the_names_once_they_were_read(self, browse, access, fill):
        fill("a")

        part = browse({"access": access.pk, "freshness": "1"}, HTMX)

        assert part.headers["HX-Trigger"] == "inventory-read"
        assert "every 2s" not in part.content.decode()

    def test_get_is_not_allowed(self, sign_in, devops, url, access):
        assert sign_in(devops).get(url("refresh", access=access.pk)).status_code == 405


class TestWhoMay:
    def test_a_viewer_may_not(self, sign_in, viewer, url, access):
        assert sign_in(viewer).get(url("browse")).status_code == 403

    def test_another_organizations_access_and_service_are_not_found(self, browse, access):
        theirs = factories.make_access()

        assert browse({"access": theirs.pk}).status_code == 404
        assert browse({"service": factories.make_service().pk}).status_code == 404
        assert browse({"access": "nonsense"}).status_code == 404


class TestEveryAccess:
    """Names of all accesses at once, which is how the page begins."""

    @pytest.fixture
    def other(self, organization):
        cluster = factories.make_cluster(organization=organization, name="stage")
        return factories.make_access(cluster=cluster, name="aws-stage", namespaces=["shop"])

    def test_names_of_all_in_order_with_their_access(self, browse, access, other, fill):
        fill("a", "c")
        fill("b", of=other)

        response = browse()

        assert shown(response) == ["a", "b", "c"]
        assert "aws-stage on stage" in response.content.decode()
        assert "3 names of 2 accesses" in response.content.decode()

    def test_one_is_chosen_by_the_url(self, browse, access, other, fill):
        fill("a")
        fill("b", of=other)

        assert shown(browse({"access": other.pk})) == ["b"]

    def test_who_is_not_read_yet_is_named(self, browse, access, other, fill):
        fill("a")

        text = browse().content.decode()

        assert re.search(rf'access={other.pk}">aws-stage on stage</a> \(not read yet\)', text)

    def test_for_a_service_only_those_of_its_cluster(self, browse, access, other, service, fill):
        fill("a")
        fill("b", of=other)

        assert shown(browse({"service": service.pk})) == ["a"]
        assert browse({"service": service.pk, "access": other.pk}).status_code == 404

    def test_nothing_of_another_organization_in_any_way(self, browse, access, other, fill):
        theirs = factories.make_access(name="theirs")
        fill("a")
        fill("theirs/secret", of=theirs)
        factories.make_link(
            access=theirs, service=factories.make_service(cluster=theirs.cluster), key="theirs/lost"
        )

        for query in (
            {},
            {"q": "theirs"},
            {"q": "e", "mode": "contains"},
            {"filter": "gone"},
            {"filter": "linked"},
        ):
            assert "theirs/" not in browse(query).content.decode()
            assert "theirs/" not in browse(query | {"around": 1}, HTMX).content.decode()

    def test_pages_of_all_have_no_gap(self, browse, access, other, fill):
        fill(*(f"n{number:03}" for number in range(80)))
        fill(*(f"n{number:03}" for number in range(0, 80, 2)), of=other)
        response = browse()
        seen = shown(response)
        while more(response):
            assert len(seen) < 120
            response = browse(dict(parse_qsl(more(response)[1:])))
            seen += shown(response)

        assert seen == sorted(seen)
        assert len(seen) == 120


class TestTyping:
    """The answer to a keystroke: the first rows at once, what takes longer after them."""

    def test_twenty_rows_and_no_count_yet(self, browse, access, fill):
        fill(*(f"a/{number:04}" for number in range(1500)))

        text = browse({"q": "a/"}, HTMX).content.decode()

        assert text.count("data-row>") == 20
        assert "The first 20 that begin with a/" in text
        assert "around=1" in text
        assert 'class="folders"' not in text

    def test_folders_and_the_count_come_after(self, browse, access, fill):
        fill(*(f"a/b/{number:04}" for number in range(1500)))

        text = browse({"q": "a/", "around": 1}, HTMX).content.decode()

        assert "1000+" in text
        assert "More than 1000 names that begin with a/" in text
        assert "data-row" not in text

    def test_few_queries_however_many_names_links_and_accesses(
        self, browse, access, cluster, service, fill, django_assert_max_num_queries
    ):
        fill(*(f"a/{number:04}" for number in range(500)))
        for number in range(20):
            factories.make_link(service=service, access=access, key=f"a/{number:04}")
            factories.make_access(cluster=cluster)

        # The first request of five minutes notes that the member is there.
        browse({"q": "a/"}, HTMX)

        with django_assert_max_num_queries(6):
            response = browse({"q": "a/"}, HTMX)

        assert response.content.decode().count("data-row>") == 20

    def test_a_part_of_a_name(self, browse, access, fill):
        fill("prod/DB-main", "test/other")

        response = browse({"q": "db-", "mode": "contains"}, HTMX)

        assert shown(response) == ["prod/DB-main"]
        assert response.headers["HX-Replace-Url"].endswith(f"?access={access.pk}&q=db-&mode=contains")

    def test_a_field_goes_along_to_the_link(self, browse, access, fill):
        fill("prod/db")

        text = browse({"q": "prod/db#user.name"}).content.decode()

        assert f"link/?access={access.pk}&amp;key=prod%2Fdb&amp;json_field=user.name" in text

    def test_a_pasted_reference(self, browse, access, fill):
        fill("prod/db", "prod/other")

        assert shown(browse({"q": f"{ACCOUNT}prod/db-AbCdEf"})) == ["prod/db"]


class TestTagsAndStates:
    def test_a_tag_of_a_row_leads_to_the_names_that_have_it(self, browse, access):
        factories.make_entry(access, "a", tags={"st=age": "prod & <b>"})
        factories.make_entry(access, "b", tags={"st=age": "test"})
        InventoryState.objects.create(access=access, read_at=timezone.now(), entries=2)

        href = re.search(r'class="tag" href="\?([^"]*)">', browse().content.decode())[1].replace("&amp;", "&")
        response = browse(dict(parse_qsl(href)))

        assert shown(response) == ["a"]
        assert "<b>" not in response.content.decode().partition('class="chips"')[2].partition("</div>")[0]
        assert 'class="chip" href="?access=' in response.content.decode()

    def test_gone_ones_with_who_misses_them(self, browse, access, service, fill):
        fill("there")
        factories.make_link(service=service, access=access, key="lost")

        response = browse({"filter": "gone"})

        assert shown(response) == ["lost"]
        assert "shop/api" in response.content.decode()
        assert '<span class="badge t-bad">Gone</span>' in response.content.decode()

    def test_scheduled_ones_say_when(self, browse, access):
        factories.make_entry(access, "a", deletes_at=datetime.datetime(2026, 12, 24, tzinfo=datetime.UTC))
        factories.make_entry(access, "b")
        InventoryState.objects.create(access=access, read_at=timezone.now(), entries=2)

        response = browse({"filter": "deleted"})

        assert shown(response) == ["a"]
        assert "2026-12-24" in response.content.decode()

    def test_without_a_match_it_says_of_what(self, browse, access, fill):
        fill("a")

        assert "No name contains zz" in browse({"q": "zz", "mode": "contains"}).content.decode()
        assert "No linked secret is gone" in browse({"filter": "gone"}).content.decode()
        assert "No such name has stage: prod" in browse({"q": "tag:stage=prod"}).content.decode()


class TestHostileNames:
    NAMES = (
        "🔑/key",
        "x" * 512,
        "../../etc",
        'o\'neil "x"',
        "two\nlines",
        "100%_",
        "back\\slash",
        "<b>&amp;</b>",
        "a#b?c=d&e",
    )

    @pytest.fixture
    def hostile(self, access, service):
        for name in self.NAMES:
            tags = {f"<i>{name[:100]}": name[:200]}
            factories.make_entry(access, name, tags=tags, description=name)
            factories.make_link(service=service, access=access, key=name)
        InventoryState.objects.create(access=access, read_at=timezone.now(), entries=len(self.NAMES))

    def test_they_break_no_page_and_every_link_leads_to_them(self, browse, sign_in, devops, hostile):
        text = browse().content.decode()
        links = [html.unescape(href) for href in re.findall(r'href="([^"]*)" data-row', text)]

        pages = [sign_in(devops).get(link) for link in links]

        assert "<b>&amp;</b>" not in text
        assert "<i>" not in text
        assert [page.status_code for page in pages] == [200] * len(self.NAMES)
        assert {page.context["name"] for page in pages} == set(self.NAMES)

    def test_every_tag_leads_to_its_name(self, browse, hostile):
        hrefs = re.findall(r'class="tag" href="\?([^"]*)"', browse().content.decode())

        found = [browse(dict(parse_qsl(html.unescape(href), keep_blank_values=True))) for href in hrefs]

        assert sorted(len(shown(response)) for response in found) == [1] * len(self.NAMES)

    def test_they_are_chosen_and_linked_together(self, browse, access, hostile):
        picks = [
            html.unescape(value)
            for value in re.findall(r'name="pick" value="([^"]*)"', browse().content.decode())
        ]

        response = browse({"pick": picks, "then": "link"})

        asked = parse_qs(response.headers["Location"].partition("?")[2])
        assert asked["access"] == [str(access.pk)]
        assert set(asked["key"]) == set(self.NAMES)


class TestBasket:
    def test_what_is_chosen_stays_through_a_search(self, browse, access, fill):
        fill("a", "b")
        pick = f"{access.pk.hex[:8]}:a"

        text = browse({"pick": [pick], "q": "b"}).content.decode()

        assert "1 selected" in text
        assert f'name="pick" value="{pick}" checked> <span class="secret-name">a</span>' in text

    def test_names_of_two_accesses_are_not_linked_together(self, browse, access, cluster, fill):
        other = factories.make_access(cluster=cluster)
        fill("a")
        fill("b", of=other)
        picks = [f"{access.pk.hex[:8]}:a", f"{other.pk.hex[:8]}:b"]

        response = browse({"pick": picks, "then": "link"})

        assert response.status_code == 200
        assert "data-mixed>Only names of one access can be linked together" in response.content.decode()

    @pytest.mark.parametrize("pick", ["", ":", "x", "00000000:a", "\x00:\x00", ":" * 50])
    def test_a_broken_choice_is_none(self, browse, access, fill, pick):
        fill("a")

        response = browse({"pick": [pick], "then": "link"})

        assert response.status_code == 200
        assert "0 selected" in response.content.decode()

    def test_who_may_not_link_chooses_nothing(self, browse, access, fill, monkeypatch):
        fill("a")
        refused = roles.PERMISSIONS[roles.Role.DEVOPS] - {roles.Permission.EXTERNAL_SECRET_MANAGE}
        monkeypatch.setitem(roles.PERMISSIONS, roles.Role.DEVOPS, refused)

        text = browse().content.decode()

        assert 'name="pick"' not in text
        assert "data-link" not in text
