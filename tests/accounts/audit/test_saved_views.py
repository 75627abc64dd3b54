"""Saved views and the settings of the log."""

import pytest

from accounts.audit import services
from accounts.models import AuditEvent, AuditView, Organization
from accounts.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db
NEW = "/o/acme/audit/views/new/"
SETTINGS = "/o/acme/settings/audit/"


@pytest.fixture
def browser(sign_in, auditor):
    return sign_in(auditor)


def saved(client, name, query="action=deploy.*&range=7d", **more):
    return client.post(f"{NEW}?{query}", {"name": name, **more})


def shown(client):
    return [one["view"].name for one in client.get("/o/acme/audit/").context["views"]]


class TestSaving:
    def test_a_filter_is_kept_without_its_page(self, browser):
        response = saved(browser, "Deploys", "who=&range=7d&action=deploy.*&before=9&live=1")

        view = AuditView.objects.get()
        assert view.query == "action=deploy.%2A&range=7d"
        assert response.headers["Location"] == f"/o/acme/audit/?{view.query}"
        assert AuditEvent.objects.get().action == "audit_view.saved"

    def test_one_of_mine_is_seen_by_nobody_else(self, browser, organization, client):
        saved(browser, "Mine")
        saved(browser, "Ours", shared="yes")
        client.force_login(factories.make_member(organization, Role.ADMIN))

        assert shown(client) == ["Ours"]

    def test_the_one_that_is_looked_at_is_marked(self, browser):
        saved(browser, "Deploys")

        page = browser.get("/o/acme/audit/?range=7d&action=deploy.*")

        assert [one["is_on"] for one in page.context["views"]] == [True]

    @pytest.mark.parametrize("shared", ["", "yes"])
    def test_a_name_is_there_once(self, browser, shared):
        saved(browser, "Deploys", shared=shared)

        again = saved(browser, "DEPLOYS", shared=shared)

        assert again.status_code == 422
        assert "There is a view named DEPLOYS already." in again.content.decode()
        assert AuditView.objects.count() == AuditEvent.objects.count() == 1

    @pytest.mark.parametrize("name", ["", " ", "x" * 61, "gnp.\u202eexe"])
    def test_a_name_that_cannot_be_is_said(self, browser, name):
        assert saved(browser, name).status_code == 422
        assert not AuditView.objects.exists()

    def test_there_are_not_more_than_can_be_found(self, browser, organization, auditor):
        member = auditor.memberships.get()
        AuditView.objects.bulk_create(
            AuditView(organization=organization, member=member, name=f"v{number}") for number in range(50)
        )

        assert "Delete one first" in saved(browser, "One more").content.decode()


class TestChanging:
    @pytest.fixture
    def view(self, browser):
        saved(browser, "Deploys", shared="yes")
        return f"/o/acme/audit/views/{AuditView.objects.get().pk}/"

    def test_renaming_tells_what_it_was(self, browser, view):
        browser.post(view, {"name": "All deploys"})

        event = AuditEvent.objects.get(action="audit_view.renamed")
        assert event.details == {"changes": {"name": ["Deploys", "All deploys"]}}

    def test_the_same_name_is_no_change(self, browser, view):
        browser.post(view, {"name": "Deploys"})

        assert AuditEvent.objects.count() == 1

    def test_deleting(self, browser, view):
        browser.post(view, {"then": "delete"})

        assert not AuditView.objects.exists()
        assert AuditEvent.objects.filter(action="audit_view.deleted").count() == 1

    def test_a_shared_one_is_changed_by_its_maker_and_those_who_manage_the_log(
        self, view, organization, client
    ):
        client.force_login(factories.make_member(organization, Role.AUDITOR))
        by_another = client.post(view, {"then": "delete"}).status_code
        client.force_login(factories.make_member(organization, Role.ADMIN))
        by_an_admin = client.post(view, {"name": "Renamed"}).status_code

        assert (by_another, by_an_admin) == (403, 302)
        assert AuditView.objects.get().name == "Renamed"

    def test_somebody_elses_own_one_is_not_found(self, browser, organization, client):
        saved(browser, "Mine")
        url = f"/o/acme/audit/views/{AuditView.objects.get().pk}/"
        client.force_login(factories.make_member(organization, Role.OWNER))

        assert client.get(url).status_code == client.post(url, {"then": "delete"}).status_code == 404


class TestSettings:
    def test_how_long_events_are_kept(self, sign_in, admin, organization):
        client = sign_in(admin)

        response = client.post(SETTINGS, {"keep": "days", "days": "90"})

        assert response.status_code == 302
        assert Organization.objects.get(pk=organization.pk).audit_days == 90
        assert AuditEvent.objects.get().details == {"changes": {"days": [None, 90]}}
        assert "None is older than 90 days" in client.get(SETTINGS).content.decode()

    def test_for_ever_again(self, sign_in, admin, organization):
        client = sign_in(admin)
        client.post(SETTINGS, {"keep": "days", "days": "90"})

        client.post(SETTINGS, {"keep": "", "days": "90"})

        assert Organization.objects.get(pk=organization.pk).audit_days is None
        assert "None is ever removed" in client.get(SETTINGS).content.decode()

    @pytest.mark.parametrize("days", ["", "29", "-1", "x", "99999"])
    def test_days_that_cannot_be_are_said_and_change_nothing(self, sign_in, admin, organization, days):
        response = sign_in(admin).post(SETTINGS, {"keep": "days", "days": days})

        assert response.status_code == 422
        assert Organization.objects.get(pk=organization.pk).audit_days is None

    def test_it_says_what_will_be_removed(self, sign_in, admin, organization, monkeypatch):
        import datetime

        from django.utils import timezone

        old = timezone.now() - datetime.timedelta(days=40)
        with monkeypatch.context() as past:
            past.setattr(timezone, "now", lambda: old)
            for _ in range(3):
                services.record(
                    organization=organization, by=admin, action="organization.renamed", target=organization
                )
        client = sign_in(admin)
        client.post(SETTINGS, {"keep": "days", "days": "30"})

        assert "3 events from before" in client.get(SETTINGS).content.decode()

    def test_an_auditor_sees_the_log_and_does_not_set_it(self, browser):
        assert browser.get(SETTINGS).status_code == 403
        assert SETTINGS not in browser.get("/o/acme/audit/").content.decode()
