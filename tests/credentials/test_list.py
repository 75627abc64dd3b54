"""The list of credentials: in use and unused, what is told of each, filtered and sorted and paged by the URL."""

import datetime
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clusters.models import Rotation
from credentials.models import CloudCredential
from tests import factories

pytestmark = pytest.mark.django_db

LIST = "/o/acme/credentials/"
ONE = "/o/acme/credentials/aws-prod/"
DAY = datetime.timedelta(days=1)


@pytest.fixture
def browser(sign_in, devops) -> Any:
    return sign_in(devops)


@pytest.fixture
def make(organization) -> Any:
    def credential(name: str, **fields: Any) -> CloudCredential:
        return factories.make_cloud_credential(organization=organization, name=name, **fields)

    return credential


def text(response):
    return response.content.decode()


def names(page):
    """Return the names of the rows, in their order."""
    return re.findall(r'<a class="name" href="/o/acme/credentials/([^/]+)/"', page)


class TestRows:
    def test_without_credentials_it_says_what_they_are_for(self, sign_in, viewer, devops):
        seen = text(sign_in(devops).get(LIST))

        assert "No credentials yet" in seen
        assert "deploys make the roles" in seen
        assert seen.count('href="/o/acme/credentials/new/"') == 2
        assert 'href="/o/acme/credentials/new/"' not in text(sign_in(viewer).get(LIST))

    def test_used_ones_come_first_and_unused_ones_apart(self, browser, make, organization):
        make("aws-a")
        used = make("aws-z")
        also = make("aws-m")
        cluster = factories.make_cluster(organization=organization, credential=used)
        for name in ("one", "two"):
            factories.make_access(cluster=cluster, name=name, cloud_credential=used, credential=None)
        factories.make_access(cluster=cluster, name="three", cloud_credential=also, credential=None)

        seen = text(browser.get(LIST))

        assert names(seen) == ["aws-m", "aws-z", "aws-a"]
        assert seen.index('id="used-h"') < seen.index(">aws-m</a>")
        assert seen.index(">aws-z</a>") < seen.index('id="unused-h"') < seen.index(">aws-a</a>")
        assert 'aria-label="View associated clusters of aws-z: 1"' in seen
        assert "2 accesses" in seen

    def test_the_whole_identity_can_be_copied(self, browser, make):
        arn = "arn:aws:iam::123456789012:user/of-a-platform-team/keyhaven"
        make("aws-prod", facts=factories.aws_facts() | {"arn": arn})

        seen = text(browser.get(LIST))

        assert f'title="{arn}"' in seen
        assert 'aria-label="Copy the identity"' in seen

    def test_an_old_one_that_nothing_uses_is_marked(self, browser, make, organization):
        long_ago = timezone.now() - 100 * DAY
        make("aws-old", set_at=long_ago)
        make("aws-young", set_at=timezone.now(), made_at=timezone.now() - 10 * DAY)
        used = make("aws-used", set_at=long_ago)
        factories.make_cluster(organization=organization, credential=used)

        assert text(browser.get(LIST)).count("Older than 90 days") == 1

    def test_a_failed_check_is_said_with_its_reason(self, browser, make):
        make("aws-prod", checked_at=timezone.now(), check_error="AWS does not accept these keys.")

        seen = text(browser.get(LIST))

        assert ">Failed</span>" in seen
        assert "AWS does not accept these keys." in seen

    @pytest.mark.parametrize(
        ("days", "words", "tone"),
        [(-1, "Ended", "t-bad"), (5, "Ends in 5 days", "t-bad"), (20, "Ends in 20 days", "t-warn")],
    )
    def test_what_ends_soon_is_marked(self, browser, make, days, words, tone):
        make("aws-prod", expires_at=timezone.now() + days * DAY)

        assert f'<span class="badge {tone}">{words}</span>' in text(browser.get(LIST))

    def test_what_ends_late_is_said_without_a_mark(self, browser, make):
        make("aws-prod", expires_at=timezone.now() + 40 * DAY)

        seen = text(browser.get(LIST))

        assert "Ends in 40 days" in seen
        assert ">Ends in 40 days</span>" not in seen

    def test_a_rotation_that_is_due_or_under_way_is_marked(self, browser, make):
        due = {"set_at": timezone.now() - 91 * DAY, "rotate_days": 90}
        make("aws-due", **due)
        going = make("aws-going", **due)
        done = make("aws-done")
        Rotation.objects.create(credential=going, started_by="x")
        Rotation.objects.create(credential=done, started_by="x", status=Rotation.Status.DONE)

        seen = text(browser.get(LIST))

        assert seen.count("Rotation due</span>") == 1
        assert seen.count("Rotation under way</span>") == 1

    def test_a_viewer_has_no_acts(self, sign_in, viewer, make):
        make("aws-prod")

        seen = text(sign_in(viewer).get(LIST))

        assert f"{ONE}usage/" in seen
        assert f"{ONE}edit/" not in seen
        assert f"{ONE}delete/" not in seen

    def test_those_of_others_are_not_there(self, browser, make):
        make("aws-prod")
        factories.make_cloud_credential(name="globex-prod")

        assert names(text(browser.get(LIST))) == ["aws-prod"]

    def test_the_navigation_and_the_palette_lead_here(self, browser, make):
        make("aws-prod")

        page = text(browser.get(LIST))
        found = text(browser.get("/o/acme/go-to/?q=aws-pr", headers={"HX-Request": "true"}))

        assert re.search(r'href="/o/acme/credentials/" aria-current="page"', page)
        assert ONE in found
        keys = re.findall(r'data-go="(.)"', page)
        assert len(keys) == len(set(keys)), "each entry has a key of its own"


class TestFilters:
    @pytest.fixture(autouse=True)
    def some(self, make, organization):
        now = timezone.now()
        make("aws-failing", check_error="No.", checked_at=now)
        make("aws-ending", expires_at=now + 10 * DAY)
        make("aws-due", set_at=now - 31 * DAY, rotate_days=30)
        make("gcp-one", cloud="gcp", method="key", facts={"email": "robot@acme.example", "project": "acme"})
        used = make("aws-used", facts=factories.aws_facts("210987654321"), expires_at=now + 90 * DAY)
        factories.make_cluster(organization=organization, credential=used)
        Rotation.objects.create(credential=used, started_by="x")

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("q=ENDING", ["aws-ending"]),
            ("q=robot%40acme", ["gcp-one"]),
            ("q=2109876", ["aws-used"]),
            ("q=%00", ["aws-used", "aws-due", "aws-ending", "aws-failing", "gcp-one"]),
            ("cloud=gcp", ["gcp-one"]),
            ("cloud=gcp&q=aws", []),
            ("cloud=moon", ["aws-used", "aws-due", "aws-ending", "aws-failing", "gcp-one"]),
            ("state=failing", ["aws-failing"]),
            ("state=expiring", ["aws-ending"]),
            ("state=due", ["aws-due"]),
            ("state=rotating", ["aws-used"]),
            ("state=unused", ["aws-due", "aws-ending", "aws-failing", "gcp-one"]),
        ],
    )
    def test_the_url_says_which(self, browser, asked, expected):
        assert names(text(browser.get(f"{LIST}?{asked}"))) == expected

    def test_a_filter_is_a_chip_with_the_way_back(self, browser):
        seen = text(browser.get(f"{LIST}?state=failing&q=aws"))

        assert 'href="/o/acme/credentials/?q=aws">State: Failing' in seen

    def test_no_match_says_so_and_is_not_empty(self, browser):
        seen = text(browser.get(f"{LIST}?q=nothing-like-it"))

        assert "No credential matches" in seen
        assert "Nothing holds “nothing-like-it”" in seen
        assert "No credentials yet" not in seen

    def test_htmx_gets_the_results_alone(self, browser):
        part = text(browser.get(f"{LIST}?q=gcp", headers={"HX-Request": "true"}))

        assert names(part) == ["gcp-one"]
        assert "<html" not in part


class TestOrder:
    @pytest.mark.parametrize(
        ("sort", "expected"),
        [
            ("name", ["a", "b", "c"]),
            ("-name", ["c", "b", "a"]),
            ("age", ["b", "c", "a"]),
            ("-age", ["a", "c", "b"]),
            ("used", ["c", "a", "b"]),
            ("expires", ["c", "a", "b"]),
            ("nonsense", ["a", "b", "c"]),
        ],
    )
    def test_headers_sort(self, browser, make, sort, expected):
        now = timezone.now()
        make("a", made_at=now - DAY, used_at=now - DAY, expires_at=now + 2 * DAY)
        make("b", made_at=now - 9 * DAY, used_at=now)
        make("c", set_at=now - 5 * DAY, expires_at=now + DAY)

        seen = text(browser.get(f"{LIST}?sort={sort}"))

        assert names(seen) == expected
        assert seen.count("aria-sort=") == (sort != "nonsense")

    @pytest.mark.parametrize("sort", ["name", "-name", "age", "-age", "used", "expires"])
    def test_pages_of_fifty_have_every_row_once(self, browser, make, organization, sort):
        now = timezone.now()
        for number in range(120):
            # Few different times, so that many rows have the same place.
            one = make(f"aws-{number:03}", set_at=now - number % 3 * DAY, used_at=now if number % 2 else None)
            if number % 4 == 0:
                factories.make_cluster(organization=organization, credential=one)

        seen, url = [], f"{LIST}?sort={sort}"
        while url:
            page = text(browser.get(url))
            seen.append(names(page))
            more = re.search(r'id="more" href="([^"]+)"', page)
            url = LIST + more[1].replace("&amp;", "&") if more else ""

        assert [len(page) for page in seen] == [50, 50, 20]
        assert len({name for page in seen for name in page}) == 120
        used = [int(name[4:]) % 4 == 0 for page in seen for name in page]
        assert used == sorted(used, reverse=True), "those in use are first, on all pages together"

    def test_more_rows_are_appended_by_htmx(self, browser, make):
        for number in range(60):
            make(f"aws-{number:03}")
        url = re.search(r'id="more" href="([^"]+)"', text(browser.get(LIST)))[1]

        part = text(browser.get(LIST + url.replace("&amp;", "&"), headers={"HX-Request": "true"}))

        assert len(names(part)) == 10
        assert "<table" not in part
        assert 'hx-swap-oob="true"' in part

    @pytest.mark.parametrize("after", ["x", "0,,", "1,2026,aws", "0,never,aws", "0,a\x00,b", "2,a,a"])
    def test_a_cursor_that_is_none_begins_at_the_top(self, browser, make, after):
        make("aws-prod")

        response = browser.get(LIST, {"after": after, "sort": "age"})

        assert names(text(response)) == ["aws-prod"]


class TestMany:
    def fill(self, organization, number: int) -> None:
        """Make credentials, and clusters that use each of the first ones."""
        made = [
            factories.make_cloud_credential(organization=organization, name=f"aws-{index:03}")
            for index in range(number)
        ]
        for index in range(number):
            cluster = factories.make_cluster(
                organization=organization, name=f"cluster-{index:03}", credential=made[index]
            )
            for name, one in (("own", made[index]), ("first", made[0])):
                factories.make_access(cluster=cluster, name=name, cloud_credential=one, credential=None)

    @pytest.mark.parametrize("url", [LIST, f"{LIST}?sort=-age", f"{LIST}aws-000/usage/"])
    def test_five_hundred_take_as_many_queries_as_five(self, browser, organization, url):
        self.fill(organization, 5)
        browser.get(url)
        with CaptureQueriesContext(connection) as few:
            browser.get(url)
        organization.clusters.all().delete()
        organization.cloud_credentials.all().delete()
        self.fill(organization, 500)
        with CaptureQueriesContext(connection) as many:
            response = browser.get(url)

        assert response.status_code == 200
        assert len(many) == len(few) <= 25
