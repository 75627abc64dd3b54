"""The pages of credentials as people use them: every wrong value with its sentence, and nothing sent back."""

from typing import Any

import pytest

from accounts.models import AuditEvent
from credentials.models import CloudCredential
from tests import factories
from tests.test_canary import CANARY, tables

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

LIST = "/o/acme/credentials/"
NEW = "/o/acme/credentials/new/?kind=aws.static"
ONE = "/o/acme/credentials/aws-prod/"


@pytest.fixture
def browser(sign_in, devops) -> Any:
    return sign_in(devops)


@pytest.fixture
def filled(keys):
    """What a person enters who makes no mistake."""
    return {"name": "aws-prod", "partition": "aws", **keys(), "session_token": ""}


def text(response):
    return response.content.decode()


def errors(response):
    return {name: messages[0] for name, messages in response.context["form"].errors.items()}


class TestNew:
    def test_the_cloud_is_chosen_first(self, browser):
        chosen, wrong = (
            browser.get("/o/acme/credentials/new/"),
            browser.get("/o/acme/credentials/new/?kind=x"),
        )

        assert 'value="aws.static"' in text(chosen)
        assert wrong.status_code == 422
        assert "from the list" in text(wrong)

    def test_what_to_allow_is_there_before_the_account_is_known(self, browser):
        assert "arn:aws:iam::ACCOUNT_ID:role/keyhaven-*" in text(browser.get(NEW))

    def test_it_is_tried_then_stored(self, browser, filled):
        done = browser.post(NEW, filled)
        page = text(browser.get(done.headers["Location"]))

        assert done.headers["Location"] == ONE
        assert "arn:aws:iam::123456789012:user/reader" in page
        assert "aws-prod works and is stored." in page
        assert filled["secret_access_key"] not in page
        assert AuditEvent.objects.get().action == "credential.created"

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("name", "", "Enter a name for this credential."),
            ("name", "AWS prod", "lower-case letters"),
            ("name", "new", "taken by a page"),
            ("name", "taken", "There is a credential named taken already."),
            ("partition", "aws-moon", "aws-moon"),
            ("access_key_id", "", "Enter the access key ID."),
            ("access_key_id", "reader", "at least 16 capital letters and digits"),
            ("secret_access_key", "", "Enter the secret access key."),
            ("secret_access_key", f"{CANARY} with spaces", "no key has"),
            ("session_token", f"{CANARY}\n\n{CANARY}", "no key has"),
        ],
    )
    def test_a_wrong_value_has_its_sentence_at_its_field(
        self, browser, organization, filled, field, value, words
    ):
        factories.make_cloud_credential(organization=organization, name="taken")

        response = browser.post(NEW, filled | {field: value})

        assert response.status_code == 422
        assert words in errors(response)[field]
        assert filled["secret_access_key"] not in text(response)
        assert CANARY not in text(response)
        assert CloudCredential.objects.count() == 1

    def test_a_temporary_key_has_its_token(self, browser, filled):
        response = browser.post(NEW, filled | {"access_key_id": "ASIA" + "A" * 16})

        assert "has a session token" in errors(response)["session_token"]

    def test_refused_keys_are_said_on_the_form_which_keeps_what_is_not_secret(self, browser, filled, caplog):
        response = browser.post(NEW, filled | {"secret_access_key": CANARY})

        assert response.status_code == 422
        assert "AWS does not accept these keys." in errors(response)["__all__"]
        assert 'value="aws-prod"' in text(response)
        assert CANARY not in text(response) + caplog.text
        assert filled["access_key_id"] not in text(response)
        assert {name for name, rows in tables().items() if CANARY in rows} == set()

    def test_a_second_click_finds_the_name_taken(self, browser, filled):
        browser.post(NEW, filled)

        again = browser.post(NEW, filled)

        assert "named aws-prod already" in errors(again)["name"]
        assert CloudCredential.objects.count() == 1


class TestDetail:
    def test_whose_it_is_who_uses_it_and_what_it_needs(self, browser, credential, organization):
        cluster = factories.make_cluster(organization=organization, name="prod", credential=credential)
        factories.make_access(cluster=cluster, name="aws", cloud_credential=credential, credential=None)

        seen = text(browser.get(ONE))

        assert credential.facts["key_id"] in seen
        assert 'href="/o/acme/clusters/prod/"' in seen
        assert 'href="/o/acme/clusters/prod/secret-managers/aws/"' in seen
        assert "arn:aws:iam::123456789012:role/keyhaven-*" in seen
        assert f"by {credential.set_by}" in seen

    def test_what_automatic_mode_made_uses_it_too(self, browser, credential, organization):
        from accesses.models import Identity

        cluster = factories.make_cluster(organization=organization, name="prod")
        Identity.objects.create(
            cluster=cluster, access_id=cluster.pk, access_name="gone", cloud="aws", credential=credential
        )

        assert "Identity of gone" in text(browser.get(ONE))
        assert "Identity of gone" in text(browser.get(f"{ONE}delete/"))

    def test_queries_do_not_grow_with_users(
        self, browser, credential, organization, django_assert_max_num_queries
    ):
        for _ in range(30):
            cluster = factories.make_cluster(organization=organization, credential=credential)
            factories.make_access(cluster=cluster, cloud_credential=credential, credential=None)

        with django_assert_max_num_queries(20):
            seen = text(browser.get(ONE))

        assert seen.count("its store signs in with it") == 10
        assert "10 of 30 clusters" in seen

    def test_a_viewer_sees_it_and_is_told_who_may_change_it(self, sign_in, viewer, credential):
        seen = text(sign_in(viewer).get(ONE))

        assert credential.identity in seen
        assert "Needs the role Owner or Admin or DevOps" in seen
        assert "Check again" not in seen
        assert f"{ONE}edit/" not in seen

    def test_check_again_says_what_is_wrong_and_later_that_it_works(self, browser, credential, keys):
        credential.secret = keys() | {"secret_access_key": "z" * 40}
        credential.save()
        browser.post(f"{ONE}check/")
        wrong = text(browser.get(ONE))
        credential.secret = keys()
        credential.save()
        browser.post(f"{ONE}check/")
        right = text(browser.get(ONE))

        assert "AWS does not accept these keys." in wrong
        assert "make new ones" in wrong
        assert "AWS does not accept" not in right
        assert ">Works</span>" in right

    def test_a_kind_of_a_newer_version_is_shown_and_not_edited(self, browser, organization):
        factories.make_cloud_credential(organization=organization, name="aws-prod", method="later")

        assert browser.get(ONE).status_code == 200
        assert browser.get(f"{ONE}edit/").headers["Location"] == ONE


class TestEdit:
    def test_blank_keeps_what_is_stored(self, browser, credential, keys):
        page = text(browser.get(f"{ONE}edit/"))
        sent = {"name": "aws-main", "partition": "aws", "seen": 1}

        done = browser.post(f"{ONE}edit/", sent)

        assert done.headers["Location"] == "/o/acme/credentials/aws-main/"
        assert CloudCredential.objects.get().secret == keys()
        assert "Replace…" in page
        assert keys()["secret_access_key"] not in page
        assert keys()["access_key_id"] not in page

    def test_new_keys_are_tried_before_they_replace_the_old(self, browser, credential, keys):
        sent = {"name": "aws-prod", "partition": "aws", "seen": 1, **keys("admin")}

        refused = browser.post(f"{ONE}edit/", sent | {"secret_access_key": CANARY})
        stored = CloudCredential.objects.get().secret
        done = browser.post(f"{ONE}edit/", sent)

        assert "Nothing was changed. AWS does not accept these keys." in errors(refused)["__all__"]
        assert CANARY not in text(refused)
        assert stored == keys()
        assert done.status_code == 302
        assert CloudCredential.objects.get().secret == keys("admin")

    def test_another_key_id_brings_its_own_secret(self, browser, credential, keys):
        sent = {"name": "aws-prod", "partition": "aws", "seen": 1} | keys("admin")

        response = browser.post(f"{ONE}edit/", sent | {"secret_access_key": ""})

        assert "has its own secret access key" in errors(response)["secret_access_key"]

    def test_a_secret_without_its_key_id_keeps_the_id(self, browser, credential, keys):
        sent = {"name": "aws-prod", "partition": "aws", "seen": 1, "secret_access_key": "z" * 40}

        response = browser.post(f"{ONE}edit/", sent)

        assert "AWS does not accept these keys." in errors(response)["__all__"]

    def test_the_slower_of_two_sees_what_it_is_now_and_may_send_again(self, browser, credential, keys):
        sent = {"name": "aws-prod", "partition": "aws", "seen": 1}
        browser.post(f"{ONE}edit/", sent | keys("admin"))

        told = browser.post(f"{ONE}edit/", sent | keys("limited"))
        again = browser.post(f"{ONE}edit/", sent | keys("limited") | {"seen": 2})

        assert "Somebody changed this credential" in errors(told)["__all__"]
        assert 'name="seen" value="2"' in text(told)
        assert again.status_code == 302

    @pytest.mark.parametrize("seen", ["", "x", "9" * 30])
    def test_a_version_that_is_none_is_an_old_one(self, browser, credential, seen):
        response = browser.post(f"{ONE}edit/", {"name": "aws-x", "partition": "aws", "seen": seen})

        assert "Somebody changed" in errors(response)["__all__"]

    def test_the_account_stays_while_it_is_used(self, browser, elsewhere, organization, keys):
        factories.make_cluster(organization=organization, name="prod", credential=elsewhere)

        response = browser.post(
            "/o/acme/credentials/aws-other/edit/",
            {"name": "aws-other", "partition": "aws", "seen": 1, **keys("admin")},
        )

        assert "is used in 210987654321: by the cluster prod" in errors(response)["__all__"]

    def test_a_name_of_another_one_is_said_at_the_field(self, browser, credential, elsewhere):
        response = browser.post(f"{ONE}edit/", {"name": "aws-other", "partition": "aws", "seen": 1})

        assert "named aws-other already" in errors(response)["name"]


class TestDelete:
    def test_the_name_is_typed(self, browser, credential):
        nothing = browser.post(f"{ONE}delete/", {"name": ""})
        wrong = browser.post(f"{ONE}delete/", {"name": "aws"})
        done = browser.post(f"{ONE}delete/", {"name": "aws-prod"})

        assert "Type the name" in errors(nothing)["name"]
        assert errors(wrong)["name"] == "This credential is called aws-prod."
        assert done.headers["Location"] == LIST
        assert not CloudCredential.objects.exists()

    def test_who_uses_it_is_listed_instead_of_a_button(self, browser, credential, organization):
        cluster = factories.make_cluster(organization=organization, name="prod", credential=credential)
        factories.make_access(cluster=cluster, name="aws", cloud_credential=credential, credential=None)

        page = text(browser.get(f"{ONE}delete/"))
        sent = browser.post(f"{ONE}delete/", {"name": "aws-prod"})

        assert "cannot be deleted while it is used" in page
        assert 'href="/o/acme/clusters/prod/"' in page
        assert 'href="/o/acme/clusters/prod/secret-managers/aws/"' in page
        assert 'class="btn danger"' not in page
        assert sent.status_code == 422
        assert CloudCredential.objects.exists()
