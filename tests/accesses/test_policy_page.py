"""The policy generator: the exact text for prefixes and keys, and what is wrong said at its field."""

import json

import pytest

from accesses.setup import generator, policies
from tests import factories

pytestmark = pytest.mark.django_db

ACCOUNT, KEY = "123456789012", "arn:aws:kms:eu-west-3:123456789012:key/1234abcd-12ab"


@pytest.fixture
def cluster(organization):
    return factories.make_cluster(
        organization=organization, name="prod", kind="eks", region="eu-west-3", account=ACCOUNT
    )


@pytest.fixture
def browser(cluster, viewer, sign_in):
    return sign_in(viewer)


def ask(browser, **query):
    return browser.get("/o/acme/clusters/prod/secret-managers/policy/", query)


@pytest.mark.parametrize("provider", ["aws-secrets-manager", "aws-parameter-store"])
def test_without_prefixes_it_is_the_policy_for_everything(browser, provider):
    page = ask(browser, provider=provider)

    assert page.status_code == 200
    assert page.context["made"].text == policies.text(policies.document(provider))
    for action, why in policies.ACTIONS[provider].items():
        assert generator.Line(action, ["*"], why) in page.context["made"].lines


def test_prefixes_and_keys_narrow_it_to_the_clusters_own_account_and_region(browser):
    page = ask(browser, provider="aws-secrets-manager", prefixes="prod/shop/\nprod/web/*", kms=KEY)

    expected = policies.document(
        "aws-secrets-manager",
        place=policies.Place(ACCOUNT, "eu-west-3"),
        prefixes=["prod/shop/", "prod/web/"],
        kms_keys=[KEY],
    )
    on = {line.what: line.on for line in page.context["made"].lines}
    assert page.context["made"].text == policies.text(expected)
    assert on["secretsmanager:ListSecrets"] == ["*"]
    assert on["secretsmanager:GetSecretValue"] == [
        "arn:aws:secretsmanager:eu-west-3:123456789012:secret:prod/shop/*",
        "arn:aws:secretsmanager:eu-west-3:123456789012:secret:prod/web/*",
    ]
    assert on["kms:Decrypt"] == [KEY]
    assert "secretsmanager:ListSecrets stays on *" in page.content.decode()


def test_the_link_of_the_page_downloads_what_it_shows(browser):
    page = ask(browser, provider="aws-parameter-store", prefixes="/prod/")

    file = browser.get(f"{page.wsgi_request.path}?{page.context['query']}&download=1")

    assert file.headers["Content-Disposition"] == (
        'attachment; filename="keyhaven-aws-parameter-store-policy.json"'
    )
    assert file.headers["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(file.content) == json.loads(page.context["made"].text)


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ({"prefixes": "*"}, "prefixes", "is every secret"),
        ({"prefixes": "prod/shop prod/web"}, "prefixes", "has a space in it"),
        ({"prefixes": "prod/", "account": ""}, "account", "Enter the account"),
        ({"prefixes": "prod/", "region": ""}, "region", "Enter the region"),
        ({"prefixes": "prod/", "account": "1234"}, "account", "12 digits"),
        ({"region": "nowhere"}, "region", "not an AWS region"),
        ({"kms": "alias/mine"}, "kms", "is an alias"),
        ({"kms": KEY, "region": "us-east-1"}, "kms", "is in eu-west-3"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_no_policy_shown(browser, query, field, words):
    page = ask(browser, provider="aws-secrets-manager", **query)
    download = ask(browser, provider="aws-secrets-manager", download="1", **query)

    assert page.status_code == download.status_code == 422
    assert words in str(page.context["form"].errors[field])
    assert page.context["made"] is None
    assert "<title>Error: Policy" in page.content.decode()


def test_google_is_told_by_gcloud_with_a_condition_on_the_names(browser):
    member = "serviceAccount:reader@acme-secrets.iam.gserviceaccount.com"
    query = {"project": "acme-secrets", "member": member, "number": "42", "prefixes": "prod-"}

    page = ask(browser, provider="gcp-secret-manager", **query)
    file = ask(browser, provider="gcp-secret-manager", download="1", **query)

    made = page.context["made"]
    assert 'resource.name.startsWith("projects/42/secrets/prod-")' in made.text
    assert [(line.what, line.on) for line in made.lines] == [
        ("roles/secretmanager.secretAccessor", ["prod-*"]),
        ("roles/secretmanager.viewer", ["*"]),
    ]
    assert file.content.decode() == made.text
    assert file.headers["Content-Disposition"] == 'attachment; filename="keyhaven-grants.sh"'


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"member": "", "project": "acme-secrets"}, "member"),
        ({"member": "reader@acme", "project": "acme-secrets"}, "member"),
        ({"member": "serviceAccount:x$(id)'@acme", "project": "acme-secrets"}, "member"),
        ({"member": "serviceAccount:a@b", "project": "12"}, "project"),
        ({"member": "serviceAccount:a@b", "project": "acme-secrets", "prefixes": "prod-"}, "number"),
        ({"member": "serviceAccount:a@b", "project": "acme-secrets", "prefixes": "prod/"}, "prefixes"),
    ],
)
def test_googles_fields_are_checked_too(browser, query, field):
    page = ask(browser, provider="gcp-secret-manager", **query)

    assert page.status_code == 422
    assert list(page.context["form"].errors) == [field]


def test_who_comes_to_googles_tab_is_not_told_of_errors(browser):
    page = ask(browser, provider="gcp-secret-manager")

    assert page.status_code == 200
    assert not page.context["form"].errors


def test_an_access_leads_to_its_own_policy(browser, cluster):
    factories.make_access(cluster=cluster, name="aws", configuration={"region": "eu-west-1"})

    page = browser.get("/o/acme/clusters/prod/secret-managers/aws/").content.decode()

    assert "/secret-managers/policy/?provider=aws-secrets-manager&amp;region=eu-west-1" in page


def test_htmx_gets_the_part_alone(browser):
    url = "/o/acme/clusters/prod/secret-managers/policy/"

    part = browser.get(url, {"prefixes": "prod/"}, headers={"HX-Request": "true"}).content.decode()

    assert part.lstrip().startswith("<title>Policy · prod")
    assert "<h1>" not in part
    assert "secret:prod/*" in part
