"""Default tags are kept in one place, the access's form, and are such as its secret manager takes."""

import pytest
from django.urls import reverse

from accesses import forms, providers, writing
from accesses.models import AccessDraft
from accounts.models import AuditEvent
from tests import factories

pytestmark = pytest.mark.django_db

MANY = "\n".join(f"tag-{number}=x" for number in range(16))
LONG = "x" * 130
REFUSED = [
    ("aws-secrets-manager", "aws:team=shop", "AWS's own"),
    ("aws-secrets-manager", f"{LONG}=shop", "at most 128"),
    ("aws-parameter-store", "team=a;b", "AWS takes"),
    ("gcp-secret-manager", "Team=shop", "no label"),
    ("azure-key-vault", MANY, "takes 15"),
    ("vault", f"{LONG}=shop", "1 to 128 bytes"),
    ("conjur", "rotation/rotator=postgresql/password", "tell Conjur what to do"),
    ("kubernetes", "team=The Shop", "cannot be a label"),
    ("kubernetes", "app.kubernetes.io/managed-by=helm", "who manages"),
    *((slug, "\n".join(f"{n}=x" for n in range(41)), "at most 40") for slug in ("built-in", "elasticsearch")),
]


def tags_errors(cluster, slug, tags, **sent):
    provider = providers.PROVIDERS[slug]
    draft = AccessDraft(cluster=cluster, provider=slug)
    form = forms.details_form(draft, provider.methods[0], {"tags": tags, **sent})
    return form, " ".join(form.errors.get("tags", []))


@pytest.fixture
def cluster(organization):
    return factories.make_cluster(organization=organization, name="prod")


@pytest.mark.parametrize(("slug", "tags", "words"), REFUSED)
def test_what_the_manager_does_not_take_is_refused_in_the_form(cluster, slug, tags, words):
    form, said = tags_errors(cluster, slug, tags)

    assert words in said


@pytest.mark.parametrize("slug", providers.PROVIDERS)
def test_plain_ones_are_taken_or_the_field_is_closed_and_says_why(cluster, slug):
    form, said = tags_errors(cluster, slug, "team=shop", version="2")

    known = providers.PROVIDERS[slug]
    assert said == ""
    assert form.fields["tags"].disabled is not writing.has_tags(known)
    if form.fields["tags"].disabled:
        assert form.fields["tags"].help_text == f"{known.label} has no tags."
        assert form.cleaned_data["tags"] == {}


def test_version_1_of_vaults_engine_has_none(cluster):
    form, said = tags_errors(cluster, "vault", "team=shop", version="1")

    assert "Version 1 of the engine has no custom metadata" in said


@pytest.mark.parametrize("slug", [slug for slug, one in providers.PROVIDERS.items() if one.writing])
def test_whoever_has_tags_has_rules_for_them(slug):
    """1Password's words and Delinea's attributes take whatever a tag can be."""
    rules = providers.PROVIDERS[slug].writing

    free = slug in ("onepassword", "delinea-devops-secrets-vault") or not rules.tags
    assert (rules.check_tags is providers.writing.any_tags) is free


class TestThePageWriting:
    @pytest.fixture
    def access(self, cluster, organization):
        organization.default_tags = {"team": "platform", "by": "keyhaven"}
        organization.save()
        return factories.make_access(cluster=cluster, name="aws", tags={"team": "shop"})

    @pytest.fixture
    def browser(self, organization, owner, sign_in):
        return sign_in(owner)

    @pytest.fixture
    def url(self, access):
        return reverse("accesses:writing", kwargs={"org": "acme", "cluster": "prod", "access": "aws"})

    def test_it_shows_what_a_new_secret_gets_and_where_each_is_changed(self, browser, url):
        text = browser.get(url).content.decode()

        assert "team=shop" in text
        assert "instead of team=platform" in text
        assert "by=keyhaven" in text
        assert "/secret-managers/aws/edit/" in text
        assert reverse("accounts:default_tags", kwargs={"org": "acme"}) in text
        assert 'name="tags"' not in text

    def test_it_changes_none(self, browser, url, access):
        answer = browser.post(url, {"act": "tags", "tags": "team=other"})

        access.refresh_from_db()
        assert answer.status_code == 422
        assert access.tags == {"team": "shop"}
        assert not AuditEvent.objects.filter(action__startswith="access.").exists()

    def test_it_says_when_nothing_can_be_made_with_them(self, browser, url, access, organization):
        organization.default_tags = {"aws:x": "y"}
        organization.save()

        text = browser.get(url).content.decode()

        assert "Nothing can be created with these tags" in text
        assert "AWS&#x27;s own" in text
