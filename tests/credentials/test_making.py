"""Adding a credential: kinds with what hinders them, set-up help, a name that is free, and the way back."""

import dataclasses
import re
from typing import Any

import pytest

from credentials import clouds, issuer
from credentials.clouds.base import Card, Helped, Listing, Obstacle
from credentials.models import CloudCredential
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

NEW = "/o/acme/credentials/new/"
STATIC = f"{NEW}?kind=aws.static"


@pytest.fixture
def browser(sign_in, devops) -> Any:
    return sign_in(devops)


@pytest.fixture
def filled(keys):
    """What a person enters who makes no mistake."""
    return {"name": "aws-prod", "partition": "aws", **keys(), "session_token": ""}


@pytest.fixture
def static(monkeypatch) -> Any:
    """Return a function that changes the record of AWS's static keys."""

    def changed(**fields: Any) -> None:
        cloud = clouds.CLOUDS["aws"]
        methods = tuple(
            dataclasses.replace(one, **fields) if one.slug == "static" else one for one in cloud.methods
        )
        monkeypatch.setitem(clouds.CLOUDS, "aws", dataclasses.replace(cloud, methods=methods))

    return changed


def text(response):
    return response.content.decode()


class TestKind:
    def test_every_method_of_every_cloud_can_be_chosen_or_says_why_not(self, browser):
        seen = text(browser.get(NEW))

        for cloud in clouds.CLOUDS.values():
            for method in cloud.methods:
                obstacle = method.obstacle()
                assert (f'value="{cloud.slug}.{method.slug}"' in seen) == (obstacle is None)
                assert method.label in seen

    def test_the_preferred_kind_keeps_no_key_and_comes_first(self, browser):
        seen = text(browser.get(NEW))

        for cloud in clouds.CLOUDS.values():
            slugs = [method.slug for method in cloud.methods if method.keyless]
            if slugs and len(cloud.methods) > 1:
                first = re.search(rf'id="kind-{cloud.slug}\.([\w-]+)"', seen)
                assert first[1] in slugs
        assert len(re.findall(r'name="kind"[^>]* checked>', seen)) == 1

    def test_what_is_not_possible_says_why_and_is_refused(self, browser, static):
        static(obstacle=lambda: Obstacle("It is not possible.", "Make it so."))

        page = text(browser.get(NEW))
        sent = browser.get(STATIC)

        assert "<small>It is not possible.</small><small>Make it so.</small>" in page
        assert 'value="aws.static"' not in page
        assert sent.status_code == 422
        assert "It is not possible. Make it so." in text(sent)

    def test_a_page_that_knows_the_cloud_asks_for_its_kinds_alone(self, browser):
        seen = text(browser.get(f"{NEW}?cloud=gcp"))

        assert 'id="kind-gcp.key"' in seen
        assert "kind-aws" not in seen


class TestHelp:
    def test_cards_are_filled_in_for_the_organization(self, browser, organization, static):
        told: list[Helped] = []

        def cards(helped: Helped) -> tuple[Card, ...]:
            told.append(helped)
            listing = Listing("the script", f"trust {helped.subject}\n", file="trust.sh")
            return (
                Card("Make an identity", "Run this.", (listing,), ("The console", "https://console.example")),
                Card("Paste it", "Below."),
                Card("Or do it by hand", "In the console.", beside=True),
            )

        static(cards=cards)

        seen = text(browser.get(STATIC))
        file = browser.get(f"{NEW}aws.static/trust.sh")

        assert "2 steps in the cloud" in seen
        assert "<summary>Or do it by hand</summary>" in seen
        assert f"trust {issuer.subject(organization)}" in seen
        assert 'href="https://console.example" target="_blank" rel="noopener noreferrer"' in seen
        assert 'href="/o/acme/credentials/new/aws.static/trust.sh"' in seen
        assert told[0].issuer == issuer.address()
        assert file.content.decode() == f"trust {issuer.subject(organization)}\n"
        assert file.headers["Content-Disposition"] == 'attachment; filename="trust.sh"'

    def test_the_policy_is_a_file_too(self, browser):
        file = browser.get(f"{NEW}aws.static/policy.json")

        assert "arn:aws:iam::ACCOUNT_ID:role/keyhaven-*" in file.content.decode()

    def test_the_policy_is_called_what_it_is(self, browser):
        page = text(browser.get(f"{NEW}?kind=scaleway.key"))

        assert 'href="/o/acme/credentials/new/scaleway.key/policy.sh"' in page
        assert browser.get(f"{NEW}scaleway.key/policy.sh").content.startswith(b"scw iam policy create")
        assert browser.get(f"{NEW}scaleway.key/policy.json").status_code == 404

    @pytest.mark.parametrize("path", ["aws.static/other.sh", "aws.moon/policy.json", "moon/policy.json"])
    def test_another_file_is_not_there(self, browser, path):
        assert browser.get(f"{NEW}{path}").status_code == 404


class TestName:
    def test_a_free_example_is_suggested(self, browser, organization):
        first = clouds.CLOUDS["aws"].examples[0]
        before = text(browser.get(STATIC))
        factories.make_cloud_credential(organization=organization, name=first)
        after = text(browser.get(STATIC))

        assert f'name="name" value="{first}"' in before
        assert f'name="name" value="{clouds.CLOUDS["aws"].examples[1]}"' in after
        assert f"for example {' or '.join(clouds.CLOUDS['aws'].examples)}" in before

    def test_without_a_free_example_it_is_numbered(self, browser, organization):
        for name in (*clouds.CLOUDS["aws"].examples, "aws-1"):
            factories.make_cloud_credential(organization=organization, name=name)

        assert 'name="name" value="aws-2"' in text(browser.get(STATIC))


class TestEnd:
    def test_the_day_on_which_it_ends_can_be_said(self, browser, filled):
        browser.post(STATIC, filled | {"until": "2031-03-31"})

        assert CloudCredential.objects.get().expires_at.isoformat() == "2031-03-31T23:59:59+00:00"

    def test_what_is_no_day_is_said_at_its_field(self, browser, filled):
        response = browser.post(STATIC, filled | {"until": "soon"})

        assert response.status_code == 422
        assert "Enter a date, like 2027-03-31." in text(response)


class TestWayBack:
    def test_it_leads_back_to_the_page_that_asked(self, browser, filled):
        url = f"{STATIC}&next=/o/acme/clusters/connect/%3Fhow%3Deks"

        page = text(browser.get(url))
        done = browser.post(url, filled)

        assert 'href="/o/acme/clusters/connect/?how=eks"' in page
        assert done.headers["Location"] == "/o/acme/clusters/connect/?how=eks&credential=aws-prod"

    @pytest.mark.parametrize(
        "back", ["https://evil.example/", "//evil.example", "javascript:x", "\\\\evil.example"]
    )
    def test_another_site_is_no_way_back(self, browser, filled, back):
        page = text(browser.get(NEW, {"kind": "aws.static", "next": back}))
        done = browser.post(f"{STATIC}&next={back}", filled)

        assert f'href="{back}"' not in page
        assert done.headers["Location"] == "/o/acme/credentials/aws-prod/"
