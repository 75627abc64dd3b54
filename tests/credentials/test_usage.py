"""Who uses a credential, and what follows from a change: one click from the list, whole for many, discreet for some."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accesses.models import Identity
from accounts.authority import Authority, built_in
from clusters.models import Cluster
from tests import factories

pytestmark = pytest.mark.django_db

ONE = "/o/acme/credentials/aws-prod/"
USAGE = f"{ONE}usage/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def browser(sign_in, devops) -> Any:
    return sign_in(devops)


@pytest.fixture
def credential(organization):
    return factories.make_cloud_credential(organization=organization, name="aws-prod")


@pytest.fixture
def used(credential, organization):
    """A credential with each kind of user: `eks` signs in by it, `roles` makes roles, `stores` has an access."""
    clusters = {
        name: factories.make_cluster(organization=organization, name=name, deployed_generation=0)
        for name in ("eks", "roles", "stores", "gone")
    }
    Cluster.objects.filter(name__in=("eks", "roles")).update(credential=credential)
    Cluster.objects.filter(name="eks").update(signs_in="credential", kind="eks")
    factories.make_access(
        cluster=clusters["stores"], name="secrets", cloud_credential=credential, credential=None
    )
    Identity.objects.create(
        cluster=clusters["gone"],
        access_id=clusters["gone"].pk,
        access_name="old",
        cloud="aws",
        credential=credential,
    )
    return credential


def text(response):
    return response.content.decode()


class TestWho:
    def test_every_user_is_there_with_its_way(self, browser, used):
        seen = text(browser.get(USAGE))

        rows = re.findall(r"<li>.*?</li>", seen, re.DOTALL)
        by_name = {
            found[1]: row for row in rows if (found := re.search(r'class="name" href="[^"]+/([^/]+)/"', row))
        }
        assert list(by_name) == ["eks", "gone", "roles", "stores"]
        assert "Keyhaven signs in to it by this credential" in by_name["eks"]
        assert "signs in to it" not in by_name["roles"]
        assert "make and check its roles" in by_name["roles"]
        assert "/o/acme/clusters/stores/secret-managers/secrets/" in by_name["stores"]
        assert "Identity of old" in by_name["gone"]
        assert "Associated clusters (4)" in seen

    def test_htmx_gets_a_dialog_and_a_browser_without_script_a_page(self, browser, used):
        page, dialog = text(browser.get(USAGE)), text(browser.get(USAGE, headers=HTMX))

        assert "<html" in page
        assert "data-show" not in page
        assert '<dialog class="modal" id="usage"' in dialog
        assert "data-show" in dialog
        assert "<html" not in dialog
        assert f'href="{USAGE}">Open as a page' in dialog

    def test_the_list_and_the_credential_lead_here(self, browser, used):
        for url in ("/o/acme/credentials/", ONE):
            seen = text(browser.get(url))
            assert f'href="{USAGE}" hx-get="{USAGE}" hx-target="#usage-place"' in seen
            assert '<div id="usage-place"></div>' in seen

    def test_nothing_uses_it(self, browser, credential):
        seen = text(browser.get(USAGE))

        assert "Nothing uses it" in seen
        assert "Keyhaven forgets it" in seen

    def test_those_beyond_fifty_come_after(self, browser, credential, organization):
        for number in range(120):
            factories.make_cluster(organization=organization, name=f"c-{number:03}", credential=credential)
        found, url = [], USAGE
        while url:
            page = text(browser.get(url))
            found.append(re.findall(r'class="name" href="/o/acme/clusters/([^/]+)/"', page))
            more = re.search(r'href="([^"]+)" hx-get="[^"]+" hx-target="#usage-rows"', page)
            url = more[1] if more else ""
        part = text(browser.get(f"{USAGE}?after=c-049", headers=HTMX))

        assert [len(names) for names in found] == [50, 50, 20]
        assert len({name for names in found for name in names}) == 120
        assert "<dialog" not in part
        assert 'id="usage-foot" hx-swap-oob="true"' in part

    def test_those_of_another_organization_are_not_there(self, browser, used, outsider):
        theirs = factories.make_cloud_credential(
            organization=outsider.memberships.get().organization, name="globex-prod"
        )

        assert browser.get(f"/o/acme/credentials/{theirs.name}/usage/").status_code == 404


class TestHidden:
    @pytest.fixture
    def limited(self, sign_in, organization):
        """Somebody whose role sees credentials, but of clusters only `eks`."""
        everywhere = factories.make_role(organization, permissions=["credential:view"])
        there = factories.make_role(
            organization, permissions=["cluster:view", "access:view"], clusters=["eks"]
        )
        person = factories.make_member(organization, "viewer")
        membership = person.memberships.get()
        membership.roles = []
        membership.save()
        membership.custom_roles.add(everywhere, there)
        return sign_in(person)

    def test_who_may_not_be_seen_is_counted_and_not_named(self, limited, used):
        seen = [text(limited.get(url)) for url in (USAGE, ONE)]

        for page in seen:
            assert ">eks</a>" in page
            assert "3 more clusters" in page
            for name in (">roles</a>", ">gone</a>", ">secrets</a>", "secrets of stores", "old of gone"):
                assert name not in page


class TestConsequences:
    def test_a_change_says_what_becomes_of_whom(self, browser, used, organization):
        Cluster.objects.filter(name="roles").update(deployed_generation=None)

        seen = text(browser.get(USAGE))

        assert "Keyhaven signs in to one cluster with the new values at once" in seen
        # `eks` and `stores`; what was only made with it is not changed by new values.
        assert "2 clusters become out of date" in seen
        assert "The Secret of one store is replaced by the next deploy" in seen
        assert "One cluster was never deployed" in seen

    def test_the_sentence_on_clusters_is_what_happens(self, used, organization, admin):
        from credentials import consequences, signals

        asker = consequences.Asker(organization, Authority(((built_in("owner"),),)))
        said = {one.title: one for one in consequences.of_change(used, asker)}

        signals.credential_replaced.send(sender=type(used), credential=used)
        changed = [one.name for one in Cluster.objects.order_by("name") if one.drift == "out of date"]
        named = [name for name, _ in said["3 clusters become out of date"].named]
        assert named == changed == ["eks", "roles", "stores"]
        assert consequences.out_of_date(used) == consequences.affected(used) == 3

    def test_a_deletion_says_what_to_take_out_first(self, browser, used):
        for url in (USAGE, f"{ONE}delete/"):
            seen = text(browser.get(url))

            assert "2 clusters have it in their settings" in seen
            assert 'href="/o/acme/clusters/eks/settings/"' in seen
            assert "One access signs in with it" in seen
            assert 'href="/o/acme/clusters/stores/secret-managers/secrets/edit/"' in seen
            assert "One identity was made with it" in seen

    def test_many_are_counted(self, browser, credential, organization):
        for number in range(8):
            factories.make_cluster(organization=organization, name=f"c-{number}", credential=credential)

        seen = text(browser.get(USAGE))

        assert re.search(r">c-4</a>\s*and 3 more", seen)

    def test_few_and_many_users_take_the_same_queries(self, browser, credential, organization):
        def fill(start: int, end: int) -> None:
            for number in range(start, end):
                cluster = factories.make_cluster(
                    organization=organization, name=f"c-{number:03}", credential=credential
                )
                factories.make_access(cluster=cluster, cloud_credential=credential, credential=None)

        counted = []
        fill(0, 3)
        browser.get(USAGE)
        for end in (3, 45):
            fill(3, end)
            with CaptureQueriesContext(connection) as asked:
                browser.get(USAGE)
            counted.append(len(asked))

        assert counted[0] == counted[1]
