"""The wizard, as a person walks it: forward, back, away and back again; and what an access can become later."""

import datetime
from typing import Any

import pytest
from django.utils import timezone

from accesses.models import Access, AccessDraft
from accesses.providers import PROVIDERS
from accounts.models import AuditEvent
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]


@pytest.fixture
def cluster(organization):
    found = factories.make_cluster(organization=organization, name="prod")
    factories.make_service(cluster=found, namespace="shop", name="api")
    factories.make_service(cluster=found, namespace="billing", name="invoices")
    return found


@pytest.fixture
def browser(sign_in, devops, aws_endpoint):
    return sign_in(devops)


def begin(browser: Any) -> AccessDraft:
    browser.post("/o/acme/clusters/prod/secret-managers/new/")
    return AccessDraft.objects.latest("created_at")


def url(draft: AccessDraft, step: str) -> str:
    return f"/o/acme/clusters/prod/secret-managers/new/{draft.pk}/{step}/"


def details(cloud: Any, **changes: Any) -> dict[str, Any]:
    return {
        "name": "aws", "region": "eu-west-3", "access_key_id": cloud.access_key_id,
        "secret_access_key": cloud.secret_access_key, "namespaces": ["shop"],
    } | changes  # fmt: skip


def saving(draft: AccessDraft) -> dict[str, str]:
    """Return what the test's page sends when its result is saved."""
    shown = AccessDraft.objects.filter(pk=draft.pk).values_list("tested_at", flat=True).first()
    return {"wish": "save", "shown": shown.isoformat() if shown else ""}


def walk_to_details(browser: Any) -> AccessDraft:
    draft = begin(browser)
    browser.post(url(draft, "provider"), {"provider": "aws-secrets-manager"})
    browser.post(url(draft, "authentication"), {"method": "static"})
    return draft


def test_every_secret_manager_can_be_chosen_on_its_first_page(browser, cluster):
    page = browser.get(url(begin(browser), "provider")).content.decode()

    assert [
        slug for slug in PROVIDERS if f'name="provider" id="id_provider_{slug}" value="{slug}"' not in page
    ] == []


def test_it_leads_from_the_provider_to_an_access(
    browser, cluster, sandbox_cloud, django_capture_on_commit_callbacks
):
    draft = walk_to_details(browser)

    to_test = browser.post(url(draft, "details"), details(sandbox_cloud))
    tested = browser.get(to_test.headers["Location"])
    done = browser.post(url(draft, "test"), saving(draft))

    access = Access.objects.get()
    cluster.refresh_from_db()
    assert "arn:aws:iam::123456789012:user/reader" in tested.content.decode()
    assert done.headers["Location"] == "/o/acme/clusters/prod/secret-managers/aws/"
    assert access.credential["secret_access_key"] == sandbox_cloud.secret_access_key
    assert access.verified_at
    assert cluster.generation == 1
    assert AuditEvent.objects.get(action="access.created").details["credential"] == "set"
    assert not AccessDraft.objects.exists()


def test_a_step_that_comes_too_early_leads_to_the_one_that_is_missing(browser, cluster):
    draft = begin(browser)

    assert browser.get(url(draft, "test")).headers["Location"] == url(draft, "provider")


def test_what_was_entered_is_there_after_going_away(browser, cluster, sandbox_cloud):
    draft = walk_to_details(browser)
    browser.post(url(draft, "details"), details(sandbox_cloud))

    page = browser.get(url(draft, "details")).content.decode()
    add_ons = browser.get("/o/acme/clusters/prod/add-ons/").content.decode()

    assert 'value="eu-west-3"' in page
    assert sandbox_cloud.secret_access_key not in page
    assert sandbox_cloud.access_key_id not in page
    assert "Replace…" in page
    assert "Continue" in add_ons


def test_blank_keys_keep_the_stored_ones(browser, cluster, sandbox_cloud):
    draft = walk_to_details(browser)
    browser.post(url(draft, "details"), details(sandbox_cloud))

    browser.post(
        url(draft, "details"), details(sandbox_cloud, access_key_id="", secret_access_key="", name="aws-2")
    )

    draft.refresh_from_db()
    assert draft.name == "aws-2"
    assert draft.credential["secret_access_key"] == sandbox_cloud.secret_access_key


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"region": "nowhere"}, "region", "not an AWS region"),
        ({"access_key_id": "short"}, "access_key_id", "at least 16"),
        ({"secret_access_key": ""}, "secret_access_key", "Enter the secret access key."),
        ({"name": "Not Good"}, "name", "lower-case"),
        ({"name": "new"}, "name", "taken by a page"),
        ({"namespaces": []}, "namespaces", "at least one namespace"),
        ({"namespaces": ["kube-system"]}, "namespaces", "Select a valid choice"),
    ],
)
def test_bad_input_is_said_at_its_field(browser, cluster, sandbox_cloud, changes, field, words):
    draft = walk_to_details(browser)

    response = browser.post(url(draft, "details"), details(sandbox_cloud, **changes))

    assert response.status_code == 422
    assert words in str(response.context["form"].errors[field])
    assert sandbox_cloud.secret_access_key not in response.content.decode()


@pytest.mark.parametrize("step", ["provider", "authentication", "details"])
def test_an_empty_htmx_post_is_answered_with_the_form(browser, cluster, step):
    draft = walk_to_details(browser)

    assert browser.post(url(draft, step), headers={"HX-Request": "true"}).status_code == 422


def test_wrong_keys_cannot_be_saved_and_nothing_is_lost(browser, cluster, sandbox_cloud):
    draft = walk_to_details(browser)
    browser.post(url(draft, "details"), details(sandbox_cloud, secret_access_key="w" * 40))
    browser.get(url(draft, "test"))

    response = browser.post(url(draft, "test"), saving(draft))

    assert response.status_code == 422
    assert "AWS does not accept these keys" in response.content.decode()
    assert not Access.objects.exists()
    assert AccessDraft.objects.get().configuration == {"region": "eu-west-3"}


def test_keys_that_may_not_list_can_be_saved_with_the_policy_shown(browser, cluster, sandbox_cloud):
    key, secret = sandbox_cloud.limited
    draft = walk_to_details(browser)
    browser.post(url(draft, "details"), details(sandbox_cloud, access_key_id=key, secret_access_key=secret))

    page = browser.get(url(draft, "test")).content.decode()
    browser.post(url(draft, "test"), saving(draft))

    assert "missing secretsmanager:ListSecrets" in page
    assert "secretsmanager:GetSecretValue" in page
    assert Access.objects.get().verified_error


def test_an_expired_session_leads_back_into_the_wizard(browser, cluster, sandbox_cloud, devops):
    draft = walk_to_details(browser)
    browser.logout()

    away = browser.post(
        url(draft, "details"),
        details(sandbox_cloud),
        headers={"Referer": f"http://testserver{url(draft, 'details')}"},
    )
    back = browser.post(away.headers["Location"], {"login": devops.email, "password": factories.PASSWORD})

    assert back.headers["Location"] == url(draft, "details")
    assert browser.get(url(draft, "details")).status_code == 200


def test_a_name_that_was_taken_meanwhile_is_said(browser, cluster, sandbox_cloud):
    draft = walk_to_details(browser)
    browser.post(url(draft, "details"), details(sandbox_cloud))
    factories.make_access(cluster=cluster, name="aws")
    browser.get(url(draft, "test"))

    response = browser.post(url(draft, "test"), saving(draft))

    assert response.status_code == 422
    assert "already has an access named aws" in response.content.decode()
    assert AccessDraft.objects.exists()


def test_a_draft_can_be_discarded(browser, cluster):
    draft = begin(browser)

    browser.post(f"/o/acme/clusters/prod/secret-managers/new/{draft.pk}/discard/")

    assert not AccessDraft.objects.exists()


@pytest.fixture
def access(cluster, sandbox_cloud):
    credential = {
        "access_key_id": sandbox_cloud.access_key_id,
        "secret_access_key": sandbox_cloud.secret_access_key,
    }
    return factories.make_access(cluster=cluster, name="aws", credential=credential)


def edit(browser: Any, **data: Any) -> Any:
    values = {"region": "eu-west-3", "namespaces": ["shop"], "seen": "1"} | data
    return browser.post("/o/acme/clusters/prod/secret-managers/aws/edit/", values)


def test_an_edit_keeps_blank_keys_and_makes_the_cluster_out_of_date(browser, cluster, access):
    response = edit(browser, region="us-east-1", namespaces=["shop", "billing"])

    access.refresh_from_db()
    cluster.refresh_from_db()
    assert response.status_code == 302
    assert access.configuration == {"region": "us-east-1"}
    assert access.credential["secret_access_key"]
    assert cluster.generation == 1
    assert AuditEvent.objects.get(action="access.changed").details["credential"] == "kept"


def test_new_keys_are_tested_before_they_replace_the_old(browser, cluster, access, sandbox_cloud):
    response = edit(browser, access_key_id="AKIAWRONGWRONGWRONG0", secret_access_key="w" * 40)

    access.refresh_from_db()
    assert response.status_code == 422
    assert "does not accept these keys" in response.content.decode()
    assert access.credential["secret_access_key"] == sandbox_cloud.secret_access_key


def test_of_two_who_edit_the_second_is_told_what_it_is_now(browser, cluster, access):
    edit(browser, namespaces=["shop", "billing"])

    second = edit(browser, region="us-east-1")

    access.refresh_from_db()
    assert second.status_code == 422
    assert "It is now: eu-west-3, open to billing, shop." in second.content.decode()
    assert 'name="seen" value="2"' in second.content.decode(), "sent once more, it replaces what was said"
    assert access.configuration == {"region": "eu-west-3"}


def test_an_access_in_use_is_not_removed_and_its_users_are_listed(browser, cluster, access):
    factories.make_link(access=access, service=cluster.services.get(name="api"))

    page = browser.get("/o/acme/clusters/prod/secret-managers/aws/delete/").content.decode()
    response = browser.post("/o/acme/clusters/prod/secret-managers/aws/delete/", {"name": "aws"})

    assert ">api</a>" in page
    assert response.status_code == 422
    assert "unlink them first" in response.content.decode()
    assert not AuditEvent.objects.filter(action="access.deleted").exists(), (
        "what did not happen is not logged"
    )


def test_an_unused_access_is_removed_by_its_name(browser, cluster, access):
    wrong = browser.post("/o/acme/clusters/prod/secret-managers/aws/delete/", {"name": "asw"})
    done = browser.post("/o/acme/clusters/prod/secret-managers/aws/delete/", {"name": "aws"})

    assert wrong.status_code == 422
    assert done.status_code == 302
    assert not Access.objects.exists()
    assert AuditEvent.objects.filter(action="access.deleted").exists()


def test_testing_again_keeps_why_it_failed(browser, cluster, access):
    access.credential = {"access_key_id": "AKIAWRONGWRONGWRONG0", "secret_access_key": "w"}
    access.save()

    browser.post("/o/acme/clusters/prod/secret-managers/aws/test/")

    access.refresh_from_db()
    assert "does not accept these keys" in access.verified_error


def test_the_add_ons_page_does_not_grow_queries(browser, cluster, django_assert_max_num_queries):
    for number in range(20):
        factories.make_access(cluster=cluster, name=f"a-{number}")

    with django_assert_max_num_queries(12):
        browser.get("/o/acme/clusters/prod/add-ons/")


def test_what_came_of_a_draft_is_found_at_its_address(browser, cluster, sandbox_cloud):
    draft = walk_to_details(browser)
    browser.post(url(draft, "details"), details(sandbox_cloud))
    browser.get(url(draft, "test"))
    browser.post(url(draft, "test"), saving(draft))

    second_click = browser.post(url(draft, "test"), saving(draft))
    back_button = browser.get(url(draft, "details"))

    assert second_click.headers["Location"] == "/o/acme/clusters/prod/secret-managers/aws/"
    assert back_button.headers["Location"] == "/o/acme/clusters/prod/secret-managers/aws/"
    assert Access.objects.count() == 1


def test_nothing_is_saved_that_was_not_shown(browser, cluster, sandbox_cloud):
    """Whoever saves in one tab what was changed in another gets to see the new test first."""
    draft = walk_to_details(browser)
    browser.post(url(draft, "details"), details(sandbox_cloud))
    browser.get(url(draft, "test"))
    old = saving(draft)
    browser.post(url(draft, "details"), details(sandbox_cloud, region="us-east-1"))

    response = browser.post(url(draft, "test"), old)

    assert response.headers["Location"] == url(draft, "test")
    assert not Access.objects.exists()
    assert browser.post(url(draft, "test"), saving(draft)).status_code == 302
    assert Access.objects.get().configuration == {"region": "us-east-1"}


def test_keys_that_were_typed_are_kept_when_something_else_is_wrong(browser, cluster, sandbox_cloud):
    draft = walk_to_details(browser)
    wrong = browser.post(url(draft, "details"), details(sandbox_cloud, name="Not Good"))

    page = wrong.content.decode()
    right = browser.post(
        url(draft, "details"), {"name": "aws", "region": "eu-west-3", "namespaces": ["shop"]}
    )

    draft.refresh_from_db()
    assert wrong.status_code == 422
    assert "lower-case" in page
    assert "Replace…" in page
    assert sandbox_cloud.secret_access_key not in page
    assert right.status_code == 302
    assert draft.result["listed"]


def test_keys_that_are_wrong_themselves_are_not_kept(browser, cluster, sandbox_cloud):
    draft = walk_to_details(browser)
    browser.post(url(draft, "details"), details(sandbox_cloud, access_key_id="short", name="Not Good"))

    draft.refresh_from_db()
    assert not draft.credential


def test_an_empty_draft_is_used_again(browser, cluster):
    first, second = begin(browser), begin(browser)

    assert first == second


def test_a_link_to_the_beginning_leads_to_where_it_begins(browser, cluster):
    response = browser.get("/o/acme/clusters/prod/secret-managers/new/")

    assert response.headers["Location"] == "/o/acme/clusters/prod/add-ons/"
    assert not AccessDraft.objects.exists()


def test_a_reload_tests_nothing_again_but_the_button_does(browser, cluster, sandbox_cloud):
    draft = walk_to_details(browser)
    browser.post(url(draft, "details"), details(sandbox_cloud))
    browser.get(url(draft, "test"))
    first = AccessDraft.objects.get().tested_at
    browser.get(url(draft, "test"))
    reloaded = AccessDraft.objects.get().tested_at
    again = browser.post(url(draft, "test"), {"wish": "test"})

    assert reloaded == first
    assert again.headers["Location"] == url(draft, "test"), "a reload afterwards must not send the form again"
    assert AccessDraft.objects.get().tested_at > first


def test_another_provider_forgets_the_credential_of_the_one_before(
    browser, cluster, sandbox_cloud, monkeypatch
):
    import dataclasses

    from accesses.providers import PROVIDERS

    other = dataclasses.replace(PROVIDERS["aws-secrets-manager"], slug="other")
    monkeypatch.setitem(PROVIDERS, "other", other)
    draft = walk_to_details(browser)
    browser.post(url(draft, "details"), details(sandbox_cloud))

    browser.post(url(draft, "provider"), {"provider": "aws-secrets-manager"})
    draft.refresh_from_db()
    kept = draft.credential
    browser.post(url(draft, "provider"), {"provider": "other"})

    draft.refresh_from_db()
    assert kept
    assert draft.credential is None
    assert (draft.method, draft.configuration) == ("", {})
    assert browser.get(url(draft, "test")).headers["Location"] == url(draft, "authentication")


def test_steps_say_where_one_is(browser, cluster):
    draft = walk_to_details(browser)

    page = browser.get(url(draft, "details")).content.decode()

    assert page.count('aria-current="step"') == 1
    assert '<li aria-current="step">Details</li>' in page
    assert f'<a href="{url(draft, "provider")}">Provider<span class="sr"> (done)</span></a>' in page
    assert "<title>Details · Add secret manager · prod" in page


def test_a_form_with_errors_says_so_in_its_title_and_on_top(browser, cluster, sandbox_cloud):
    draft = walk_to_details(browser)

    page = browser.post(url(draft, "details"), {"name": "", "region": "nowhere"}).content.decode()

    assert "<title>Error: Details" in page
    assert "5 fields need a correction" in page
    assert 'href="#id_region"' in page


def test_the_test_shows_a_few_names_and_that_there_are_more(browser, cluster, sandbox_cloud):
    draft = walk_to_details(browser)
    browser.post(url(draft, "details"), details(sandbox_cloud))

    page = browser.get(url(draft, "test")).content.decode()

    assert page.count('class="secret-name"') == 5
    assert "and more" in page


def test_namespaces_can_be_changed_while_aws_is_away(browser, cluster, access, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    only_namespaces = edit(browser, namespaces=["shop", "billing"])
    region_as_well = edit(browser, region="us-east-1", seen="2")

    access.refresh_from_db()
    assert only_namespaces.status_code == 302
    assert access.namespaces == ["billing", "shop"]
    assert region_as_well.status_code == 422
    assert "AWS does not answer in us-east-1" in region_as_well.content.decode()


def test_a_namespace_in_use_is_said_at_its_field(browser, cluster, access):
    factories.make_link(access=access, service=cluster.services.get(name="api"))

    response = edit(browser, namespaces=["billing"])

    assert response.status_code == 422
    assert "Services of shop have linked secrets" in str(response.context["form"].errors["namespaces"])


def test_an_edit_form_never_holds_the_stored_credential(browser, cluster, access):
    page = browser.get("/o/acme/clusters/prod/secret-managers/aws/edit/").content.decode()

    assert 'value="eu-west-3"' in page
    assert access.credential["access_key_id"] not in page
    assert access.credential["secret_access_key"] not in page


@pytest.mark.parametrize("seen", ["", "x", "9" * 40, "-1"])
def test_a_form_without_its_version_changes_nothing(browser, cluster, access, seen):
    response = edit(browser, region="us-east-1", seen=seen)

    access.refresh_from_db()
    assert response.status_code == 422
    assert access.version == 1


def test_a_forgotten_draft_does_not_keep_its_credential(browser, cluster, sandbox_cloud):
    draft = walk_to_details(browser)
    browser.post(url(draft, "details"), details(sandbox_cloud))
    AccessDraft.objects.update(updated_at=timezone.now() - datetime.timedelta(days=8))

    begin(browser)

    assert not AccessDraft.objects.filter(pk=draft.pk).exists()


def test_what_is_out_of_sight_cannot_be_wrong(browser, cluster, sandbox_cloud):
    """The prefixes show with their choice only: what was typed there before another one counts for nothing."""
    from accesses.providers.aws.automatic import AutomaticForm

    data = {"region": "eu-west-3", "scope": "linked", "prefixes": "not a prefix", "kms_keys": ""}
    form = AutomaticForm(data)

    assert form.is_valid()
    assert form.configuration()["prefixes"] == ""
    assert not AutomaticForm(data | {"scope": "prefixes"}).is_valid()


def test_fields_stand_in_groups_and_a_fold_with_an_error_is_open(browser, cluster, sandbox_cloud):
    draft = walk_to_details(browser)

    first = browser.get(url(draft, "details"))
    wrong = browser.post(url(draft, "details"), details(sandbox_cloud, expires_at="tomorrow"))

    folds = {row.summary: row.is_open for group in first.context["form"].groups() for row in group.rows}
    after = {row.summary: row.is_open for group in wrong.context["form"].groups() for row in group.rows}
    shown = [one.name for group in first.context["form"].groups() for row in group.rows for one in row.fields]
    assert [group.slug for group in first.context["form"].groups()] == ["where", "identity", "users", "sees"]
    assert sorted(shown) == sorted(first.context["form"].fields), "each field is somewhere, and once"
    assert folds["Temporary keys, with a session token"] is False
    assert after["Temporary keys, with a session token"] is True
