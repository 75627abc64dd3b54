"""Changing a credential: who is affected is said before, what waits for a deploy after; another way to sign in."""

import datetime
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from credentials import clouds, services
from credentials.clouds.base import Method
from credentials.models import CloudCredential
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

ONE = "/o/acme/credentials/aws-prod/"
EDIT = f"{ONE}edit/"
SENT = {"name": "aws-prod", "partition": "aws", "seen": 1}


@pytest.fixture
def browser(sign_in, devops) -> Any:
    return sign_in(devops)


def text(response):
    return response.content.decode()


class TestAffected:
    @pytest.fixture
    def clusters(self, organization, credential):
        made = [
            factories.make_cluster(
                organization=organization, name=f"c-{number}", credential=credential, deployed_generation=0
            )
            for number in range(3)
        ]
        factories.make_access(cluster=made[0], name="one", cloud_credential=credential, credential=None)
        return made

    def test_it_is_said_before(self, browser, clusters):
        seen = text(browser.get(EDIT))

        assert "3 clusters use it." in seen
        assert "3 clusters become out of date" in seen
        assert "The Secret of one store is replaced by the next deploy" in seen

    def test_afterwards_it_leads_to_their_deploys(self, browser, clusters, keys):
        done = browser.post(EDIT, SENT | keys("admin"))
        page = text(browser.get(done.headers["Location"]))

        assert done.headers["Location"] == f"{ONE}usage/"
        assert "aws-prod is changed. 3 clusters wait for a deploy." in page
        assert page.count("Out of date") >= 3
        assert 'href="/o/acme/clusters/c-1/changes/"' in page

    def test_a_new_name_alone_makes_nobody_wait(self, browser, clusters):
        done = browser.post(EDIT, SENT | {"name": "aws-main"})

        assert done.headers["Location"] == "/o/acme/credentials/aws-main/"
        assert all(one.drift == "up to date" for one in type(clusters[0]).objects.all())

    def test_without_users_nothing_is_said(self, browser, credential):
        assert "What new values change" not in text(browser.get(EDIT))


class TestEnd:
    def test_new_values_have_their_own_end(self, browser, credential, keys):
        CloudCredential.objects.update(expires_at=timezone.now(), made_at=timezone.now())

        browser.post(EDIT, SENT | keys("admin") | {"until": "2031-01-01"})
        first = CloudCredential.objects.get()
        browser.post(EDIT, SENT | keys() | {"seen": 2})
        second = CloudCredential.objects.get()

        assert first.expires_at.date() == datetime.date(2031, 1, 1)
        assert (first.made_at, second.expires_at) == (None, None), "those of the old values do not stay"

    def test_a_new_name_keeps_the_end(self, browser, credential):
        CloudCredential.objects.update(expires_at=timezone.now())

        browser.post(EDIT, SENT | {"name": "aws-main"})

        assert CloudCredential.objects.get().expires_at is not None


class TestAnotherWay:
    @pytest.fixture
    def keyless(self, monkeypatch, credential):
        """A second way for AWS, which signs in to the account of the facts without a key."""
        import dataclasses

        cloud = clouds.CLOUDS["aws"]
        account = credential.account

        def identify(secret: Any, given: Any) -> Any:
            arn = f"arn:aws:iam::{account}:role/keyhaven"
            return {"partition": "aws", "arn": arn, "account": account}

        way = Method(
            slug="other",
            label="Another way",
            consequence="No key is stored.",
            form=_form(),
            identify=identify,
            sign_in=lambda secret, facts: None,
            keyless=True,
        )
        changed = dataclasses.replace(cloud, methods=(*cloud.methods, way))
        monkeypatch.setitem(clouds.CLOUDS, "aws", changed)
        return way

    def test_the_keys_are_forgotten(self, browser, credential, keyless):
        offered = text(browser.get(EDIT))
        page = text(browser.get(f"{EDIT}?method=other"))
        done = browser.post(f"{EDIT}?method=other", SENT)

        live = CloudCredential.objects.get()
        assert 'href="?method=other"' in offered
        assert "It signs in in another way from now on" in page
        assert "secret_access_key" not in page
        assert done.headers["Location"] == ONE
        assert (live.method, live.secret, live.rotate_days) == ("other", {}, None)
        assert live.identity.endswith(":role/keyhaven")
        event = AuditEvent.objects.get(action="credential.changed")
        assert event.details["changes"]["method"] == ["static", "other"]

    def test_clusters_keep_it(self, browser, credential, keyless, organization):
        cluster = factories.make_cluster(
            organization=organization, credential=credential, deployed_generation=0
        )

        browser.post(f"{EDIT}?method=other", SENT)

        cluster.refresh_from_db()
        assert CloudCredential.objects.get().method == "other"
        assert cluster.drift == "out of date"

    def test_not_while_operators_sign_in_with_its_keys(self, browser, credential, keyless, organization):
        cluster = factories.make_cluster(organization=organization)
        factories.make_access(cluster=cluster, cloud_credential=credential, credential=None)

        response = browser.post(f"{EDIT}?method=other", SENT)

        assert response.status_code == 422
        assert "Accesses sign in with the keys of aws-prod" in text(response)
        assert CloudCredential.objects.get().method == "static"

    def test_a_way_that_there_is_not_is_the_one_of_now(self, browser, credential):
        assert "secret_access_key" in text(browser.get(f"{EDIT}?method=moon"))

    def test_the_service_says_so_too(self, credential, admin, keyless):
        assert services.change(
            credential=credential,
            name="aws-prod",
            secret={},
            given={},
            seen_version=1,
            method="other",
            by=admin,
        )


def _form() -> Any:
    from credentials.fields import SecretForm

    class Nothing(SecretForm):
        pass

    return Nothing


class TestReminders:
    URL = f"{ONE}reminders/"

    def test_they_are_saved_and_told(self, browser, credential):
        done = browser.post(self.URL, {"rotate_days": "30", "until": "2031-01-01"})

        live = CloudCredential.objects.get()
        event = AuditEvent.objects.get(action="credential.reminders_changed")
        assert done.headers["Location"] == ONE
        assert (live.rotate_days, live.expires_at.date()) == (30, datetime.date(2031, 1, 1))
        assert event.details["changes"]["rotate after days"] == [90, 30]

    def test_nothing_is_no_reminder(self, browser, credential):
        browser.post(self.URL, {"rotate_days": "", "until": ""})

        assert CloudCredential.objects.get().rotate_days is None
        assert ">Never</span>" in text(browser.get(ONE))

    def test_the_same_is_no_event(self, browser, credential):
        browser.post(self.URL, {"rotate_days": "90", "until": ""})

        assert not AuditEvent.objects.filter(action="credential.reminders_changed").exists()

    def test_what_the_cloud_tells_stays(self, browser, credential):
        ends = timezone.now()
        CloudCredential.objects.update(
            expires_at=ends, facts=credential.facts | {"expires": ends.isoformat()}
        )

        page = text(browser.get(ONE))
        browser.post(self.URL, {"rotate_days": "10", "until": "2031-01-01"})

        assert 'name="until"' not in page
        assert CloudCredential.objects.get().expires_at == ends

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("rotate_days", "0", "Enter at least 1 day, or nothing."),
            ("rotate_days", "99999", "Enter at most 3650 days."),
            ("rotate_days", "often", "Enter a whole number of days."),
            ("until", "2031-13-01", "Enter a date, like 2027-03-31."),
        ],
    )
    def test_a_wrong_value_is_said_at_its_field(self, browser, credential, field, value, words):
        response = browser.post(self.URL, {"rotate_days": "90", "until": ""} | {field: value})

        assert response.status_code == 422
        assert words in text(response)
        assert CloudCredential.objects.get().rotate_days == 90

    def test_a_viewer_has_no_form(self, sign_in, viewer, credential):
        assert 'name="rotate_days"' not in text(sign_in(viewer).get(ONE))
