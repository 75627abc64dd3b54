"""Names by prefix: ranges of the index, folders, pages without gaps."""

import pytest
from django.db import connection
from django.utils import timezone

from accesses.models import StoreVariant
from external_secrets import browsing, browsing_folders, browsing_uses
from external_secrets.browsing_search import Scope, Search, Tag, begins_with
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

    def test_of_names_that_were_not_kept_the_manager_is_asked(self, access, fill, manager):
        fill("a")
        InventoryState.objects.update(truncated=True)
        manager.entries = [entry("a"), entry("b")]

        assert browsing.knows(access, self.state(access), "b") is True
        assert browsing.knows(access, self.state(access), "c") is False

    def test_before_the_first_reading_the_manager_is_asked(self, access, manager):
        manager.entries = [entry("a")]

        assert browsing.knows(access, self.state(access), "a") is True
        assert browsing.knows(access, self.state(access), "b") is False
        manager.error = refused()
        assert browsing.knows(access, self.state(access), "b") is None


class TestSearch:
    """What is typed, and what it finds."""

    @pytest.mark.parametrize(
        ("typed", "text", "field", "tags"),
        [
            ("prod/db#password", "prod/db", "password", ()),
            ("tag:stage=prod", "", "", (Tag("stage", "prod"),)),
            (
                'prod/ tag:stage=prod tag:owner="team a"',
                "prod/",
                "",
                (Tag("stage", "prod"), Tag("owner", "team a")),
            ),
            ("tag:stage", "", "", (Tag("stage"),)),
            ("a-tag:x", "a-tag:x", "", ()),
            (f"{ACCOUNT}prod/db-AbCdEf#user", "prod/db", "user", ()),
            (f"{ACCOUNT}prod/db-AbC", "prod/db", "", ()),
            ("arn:aws:ssm:eu-west-3:123456789012:parameter/prod/db", "/prod/db", "", ()),
            ("arn:aws:ssm:eu-west-3:123456789012:parameter/db", "", "", ()),
            ("projects/77/secrets/db/versions/3", "db", "", ()),
        ],
    )
    def test_what_was_typed_is_understood(self, typed, text, field, tags):
        search = Search.of(typed)

        assert (search.text, search.field, search.tags) == (text, field, tags)

    @pytest.mark.parametrize(
        "tag", [Tag("a=b", "c=d"), Tag("50%3D", "x"), Tag("a"), Tag("a", ""), Tag("ключ", "🔑")]
    )
    def test_a_tag_survives_its_url(self, tag):
        assert Tag.of(tag.parameter) == tag

    @pytest.mark.parametrize(
        "part",
        ["%", "_", "A_B", "\\", "O'N", "HI", "🔑", "z", "0%", "É", "é", "", "\x00", "nowhere", "ſ", "K"],
    )
    def test_a_part_is_taken_literally_in_whatever_case(self, access, fill, part):
        names = [*WILD, "café", "CAFÉ"]
        fill(*names)
        wanted = part.replace("\x00", "").casefold()

        assert found(access, part, contains=True) == sorted(
            (name for name in names if wanted in name.casefold()), key=lambda name: name.encode()
        )

    def test_parts_are_paged_without_a_gap(self, access, cluster, fill):
        other = factories.make_access(cluster=cluster)
        fill(*(f"n{number:03}/needle" for number in range(120)))
        fill(*(f"n{number:03}/needle" for number in range(0, 120, 2)), of=other)
        scope, search, seen, after = of(access, other), Search.of("NEEDLE", contains=True), [], ""
        while not seen or after:
            page = browsing.page(scope, search, after)
            seen += [(row.name, row.access_id) for row in page.rows]
            after = page.after

        assert len(seen) == len(set(seen)) == 180
        assert seen == sorted(seen)

    def test_tags_must_all_be_there(self, access):
        factories.make_entry(access, "a", tags={"stage": "prod", "team": "x"})
        factories.make_entry(access, "b", tags={"stage": "prod"})
        factories.make_entry(access, "c", tags={"stage": "test", "team": "x"})
        factories.make_entry(access, "d", tags={})

        assert found(access, "tag:stage=prod") == ["a", "b"]
        assert found(access, "tag:stage=prod", tags=["team=x"]) == ["a"]
        assert found(access, "tag:team") == ["a", "c"]
        assert found(access, "b tag:stage=prod") == ["b"]
        assert found(access, "tag:stage") == ["a", "b", "c"]
        assert found(access, "tag:nothing=prod") == []

    @pytest.mark.parametrize("end", ["", "-AbCdEf", "-AbC", "-"])
    def test_a_reference_finds_its_name(self, access, fill, end):
        fill("prod/db", "prod/db-other", "prod/d")

        assert found(access, f"{ACCOUNT}prod/db{end}")[0] == "prod/db"
        assert found(access, f"{ACCOUNT.replace('123456789012', '999999999999')}prod/db{end}") == []

    def test_scheduled_for_deletion(self, access):
        factories.make_entry(access, "kept")
        factories.make_entry(access, "going", deletes_at=timezone.now())

        assert found(access, "", only="deleted") == ["going"]

    def test_the_names_of_an_organization_are_never_anothers(self, access, fill):
        theirs = factories.make_access()
        fill("ours")
        fill("theirs", of=theirs)
        scope = Scope(access.cluster.organization_id)

        for search in (Search(), Search.of("e", contains=True), Search.of("t"), Search(only="linked")):
            assert "theirs" not in [row.name for row in browsing.page(scope, search).rows]
        assert browsing.count(scope, Search()) == 1
        fill("their/folder", of=theirs)
        assert browsing_folders.folders(scope, "") == []


class TestLinked:
    """Which names are linked, and which links have lost theirs."""

    def users(self, *accesses):
        rows = browsing.page(of(*accesses), Search()).rows
        return {
            name: [str(user) for user in users] for (_, name), users in browsing_uses.of_rows(rows).items()
        }

    def test_by_name_and_by_reference(self, access, service, fill):
        fill("a", "b", "c", "d")
        factories.make_link(service=service, access=access, key="a")
        factories.make_link(service=service, access=access, key=f"{ACCOUNT}b-AbCdEf")
        factories.make_link(service=None, namespace="shop", access=access, key=f"{ACCOUNT}c")

        assert self.users(access) == {"a": ["shop/api"], "b": ["shop/api"], "c": ["shop/*"]}
        assert found(access, "", only="linked") == ["a", "b", "c"]

    def test_by_path_and_by_tags(self, access, service, fill):
        factories.make_entry(access, "prod/a")
        factories.make_entry(access, "test/a", tags={"stage": "x", "more": "y"})
        factories.make_entry(access, "test/b")
        factories.make_link(service=service, access=access, takes="path", key="prod/")
        factories.make_link(service=service, access=access, takes="tags", key="", tags={"stage": "x"})

        assert set(self.users(access)) == {"prod/a", "test/a"}
        assert found(access, "", only="linked") == ["prod/a", "test/a"]

    def test_what_is_read_elsewhere_is_another_secret(self, access, service, fill):
        fill("a")
        variant = StoreVariant.objects.create(access=access, region="us-east-1")
        factories.make_link(service=service, access=access, key="a", variant=variant)
        factories.make_link(service=service, access=access, key="b", variant=variant)

        assert self.users(access) == {}
        assert found(access, "", only="linked") == []
        assert found(access, "", only="gone") == []

    def test_of_the_same_name_in_two_accesses_only_one_is_linked(self, access, cluster, service, fill):
        other = factories.make_access(cluster=cluster)
        fill("a")
        fill("a", of=other)
        factories.make_link(service=service, access=other, key="a")

        (row,) = browsing.page(of(access, other), Search(only="linked")).rows

        assert row.access_id == other.pk

    def test_gone_is_what_a_whole_list_does_not_have(self, access, service, fill):
        fill("there", "referred")
        elsewhere = ACCOUNT.replace("123456789012", "999999999999")
        for key in (
            "there",
            "gone",
            f"{ACCOUNT}referred-AbCdEf",
            f"{ACCOUNT}lost-AbCdEf",
            f"{elsewhere}far-AbCdEf",
        ):
            factories.make_link(service=service, access=access, key=key)

        assert found(access, "", only="gone") == [f"{ACCOUNT}lost-AbCdEf", "gone"]
        assert found(access, "go", only="gone") == ["gone"]
        assert found(access, "ON", only="gone", contains=True) == ["gone"]

    @pytest.mark.parametrize("facts", [{"read_at": None}, {"truncated": True}])
    def test_of_a_list_that_is_not_whole_nothing_is_known_to_be_gone(self, access, service, fill, facts):
        fill("there")
        factories.make_link(service=service, access=access, key="gone")
        InventoryState.objects.update(**facts)

        assert found(access, "", only="gone") == []

    def test_gone_ones_are_paged(self, access, service, fill):
        fill("there")
        for number in range(60):
            factories.make_link(service=service, access=access, key=f"gone-{number:02}")

        first = browsing.page(of(access), Search(only="gone"))
        second = browsing.page(of(access), Search(only="gone"), first.after)

        assert [row.name for row in first.rows + second.rows] == [f"gone-{number:02}" for number in range(60)]
        assert (first.total, second.after) == (60, "")


def test_hundreds_of_names_beside_the_folders_hide_none(access, fill):
    fill(*(f"a{number:03}" for number in range(browsing_folders.LEAPS + 10)), "z/one", "z/two")

    assert [(one.prefix, one.count) for one in browsing_folders.folders(of(access), "")] == [("z/", 2)]


def test_a_folder_of_thousands_is_counted_to_a_thousand(access, fill):
    fill(*(f"big/{number}" for number in range(1200)), "small/1")

    assert [one.words for one in browsing_folders.folders(of(access), "")] == ["1000+", "1"]


def test_folders_of_several_accesses_are_merged(access, cluster, fill):
    other = factories.make_access(cluster=cluster)
    fill("prod/a", "prod/b")
    fill("prod/a", "test/a", of=other)

    found = browsing_folders.folders(of(access, other), "")

    assert [(one.prefix, one.count) for one in found] == [("prod/", 3), ("test/", 1)]
