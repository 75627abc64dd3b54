"""Names by prefix: ranges of the index, folders, pages without gaps."""

import pytest
from django.db import connection

from external_secrets import browsing, browsing_folders
from external_secrets.browsing_search import Scope, Search, begins_with
from external_secrets.models import InventoryState
from tests import factories
from tests.external_secrets.manager import ACCOUNT, entry, refused

pytestmark = pytest.mark.django_db

WILD = ["100%", "a_b", "axb", "o'neil", 'say "hi"', "back\\slash", "🔑/key", "A", "a", "zz"]


def of(*accesses):
    """The scope of some accesses of one organization."""
    return Scope(accesses[0].cluster.organization_id, tuple(access.pk for access in accesses))


def found(access, typed, **rest):
    return [row.name for row in browsing.page(of(access), Search.of(typed, **rest)).rows]


@pytest.mark.parametrize(
    "prefix", ["", "a", "a_", "100%", "%", "_", "o'", 'say "', "back\\", "🔑", "A", "zzz"]
)
def test_the_prefix_is_taken_literally(access, fill, prefix):
    fill(*WILD)

    assert found(access, prefix) == sorted(
        (name for name in WILD if name.startswith(prefix)), key=lambda name: name.encode()
    )


@pytest.mark.parametrize(
    "typed", ["\x00", "a\x00b", "\udcff".encode("utf-8", "replace").decode(), "x" * 9000]
)
def test_what_no_name_can_begin_with_is_harmless(access, fill, typed):
    fill("a", "ab")

    for contains in (False, True):
        search = Search.of(typed, contains=contains)
        browsing.page(of(access), search)
        browsing_folders.folders(of(access), search.text)


def test_ten_thousand_names_page_by_page_without_a_gap(access, fill):
    names = sorted(
        f"{env}/{team}/secret-{number:04}"
        for env in ("prod", "test")
        for team in ("a", "b")
        for number in range(2500)
    )
    fill(*names)
    seen, after, pages = [], "", 0
    while pages == 0 or after:
        page = browsing.page(of(access), Search.of("prod/"), after)
        seen += [row.name for row in page.rows]
        after, pages = page.after, pages + 1

    assert seen == [name for name in names if name.startswith("prod/")]
    assert pages == 100
    assert browsing.count(of(access), Search.of("prod/")) == browsing.COUNTED + 1


def test_a_page_that_is_exactly_full_has_no_next_one(access, fill):
    fill(*(f"n{number:02}" for number in range(50)))

    page = browsing.page(of(access), Search())

    assert (len(page.rows), page.after, page.total) == (50, "", 50)


def test_the_prefix_is_a_range_of_the_index(access, cluster, fill):
    for number in range(3):
        other = factories.make_access(cluster=cluster)
        fill(*(f"{number}/{name:04}" for name in range(1000)), of=other)
    fill(*(f"prod/{number:04}" for number in range(5000)), *(f"test/{number:04}" for number in range(5000)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE external_secrets_inventoryentry")

    plan = begins_with(of(access).rows(), "prod/00").order_by("name")[:51].explain()

    assert "inventory_names_are_unique" in plan
    condition = plan.partition("Index Cond")[2]
    assert ">= 'prod/00'" in condition
    assert "< 'prod/00" in condition
    assert "Sort" not in plan
    assert "Seq Scan" not in plan


def test_folders_are_the_next_segments_with_their_counts(access, fill):
    fill("prod/api/a", "prod/api/b", "prod/web/x/y", "prod/db", "test/a", "top")

    assert [(folder.prefix, folder.count) for folder in browsing_folders.folders(of(access), "")] == [
        ("prod/", 4),
        ("test/", 1),
    ]
    assert [(folder.label, folder.count) for folder in browsing_folders.folders(of(access), "prod/")] == [
        ("api/", 2),
        ("web/", 1),
    ]
    assert [folder.prefix for folder in browsing_folders.folders(of(access), "prod/a")] == ["prod/api/"]
    assert browsing_folders.folders(of(access), "prod/web/x/") == []


def test_folders_of_names_that_begin_with_a_slash(access, fill):
    fill("/shop/a", "/shop/b")

    assert [folder.prefix for folder in browsing_folders.folders(of(access), "")] == ["/"]
    assert [folder.prefix for folder in browsing_folders.folders(of(access), "/")] == ["/shop/"]


def test_folders_take_one_query_whatever_their_number(access, fill, django_assert_num_queries):
    fill(*(f"f{number:03}/a" for number in range(300)))

    with django_assert_num_queries(1):
        folders = browsing_folders.folders(of(access), "")

    assert len(folders) == browsing_folders.FOLDERS


@pytest.mark.parametrize(
    ("prefix", "crumbs"),
    [
        ("", []),
        ("prod", []),
        ("prod/", [("prod/", "prod/")]),
        ("prod/api/db", [("prod/", "prod/"), ("api/", "prod/api/")]),
        ("/a/b", [("/", "/"), ("a/", "/a/")]),
    ],
)
def test_crumbs_lead_back_up(prefix, crumbs):
    assert browsing_folders.crumbs(prefix) == crumbs


def test_live_names_come_from_the_managers_own_filter(access, manager):
    manager.entries = [entry("prod/b"), entry("prod/a"), entry("test/a")]

    names = browsing.live(access, "prod/")

    assert [row.name for row in names.rows] == ["prod/a", "prod/b"]
    assert manager.calls == [("prod/", "")]
    assert names.live


class TestKnows:
    """Whether the console can say that a name exists."""

    def state(self, access):
        return browsing.state_of(access)

    def test_a_name_or_a_reference_of_the_inventory_exists(self, access, fill):
        fill("a")

        assert browsing.knows(access, self.state(access), "a") is True
        assert browsing.knows(access, self.state(access), f"{ACCOUNT}a-AbCdEf") is True

    def test_another_name_does_not(self, access, fill):
        fill("a")

        assert browsing.knows(access, self.state(access), "b") is False
        assert browsing.knows(access, self.state(access), f"{ACCOUNT}b-AbCdEf") is False

    def test_of_another_account_nothing_can_be_said(self, access, fill):
        fill("a")
        elsewhere = ACCOUNT.replace("123456789012", "999999999999") + "a-AbCdEf"

        assert browsing.knows(access, self.state(access), elsewhere) is None

    def test_after_a_failure_nothing_can_be_said_of_an_unknown_name(self, access, fill):
        fill("a")
        InventoryState.objects.update(error="Denied.")

        assert browsing.knows(access, self.state(access), "a") is True
        assert browsing.knows(access, self.state(access), "b") is None

    def test_before_the_first_reading_the_manager_is_asked(self, access, manager):
        manager.entries = [entry("a")]

        assert browsing.knows(access, self.state(access), "a") is True
        assert browsing.knows(access, self.state(access), "b") is False
        manager.error = refused()
        assert browsing.knows(access, self.state(access), "b") is None
