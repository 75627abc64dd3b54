"""The table of troubles: each row finds its own example, and docs/troubleshooting.md says what the table says."""

import re
import string
from typing import Any

import pytest

from accesses import causes, troubles
from accesses.providers import PROVIDERS
from tests import factories

pytestmark = pytest.mark.django_db

PROVIDER_OF = {
    "aws": "aws-secrets-manager", "azure": "azure-key-vault", "gcp": "gcp-secret-manager", "": "aws-secrets-manager",
    "conjur": "conjur", "kubernetes": "kubernetes",
}  # fmt: skip
WORDS = ("access", "namespace", "operator", "subject", "action")
OF_A_LINK = ("named", "key", "field", "version", "object")
CAPITALS = {word: f"*{word.upper()}*" for word in (*WORDS, *OF_A_LINK)}


def each(rows):
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.slug)


rows = each(troubles.TABLE)
# Those of a condition to which no event is known stand for the whole message.
with_event = each([row for row in troubles.TABLE if not row.pattern.startswith(r"\A")])
of_stores = each([row for row in troubles.TABLE if row.about != "link"])


def texts_of(row: troubles.Trouble) -> list[str]:
    return [row.reason, row.remedy, *row.remedies.values()]


@pytest.fixture(scope="module")
def sections(project) -> dict[str, str]:
    """The document's sections by their headings."""
    text = (project / "docs" / "troubleshooting.md").read_text()
    return {
        part.partition("\n")[0].strip(): part for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    }


def test_slugs_are_unique_and_can_be_an_anchor():
    slugs = [row.slug for row in troubles.TABLE]

    assert len(set(slugs)) == len(slugs)
    assert [slug for slug in slugs if not re.fullmatch(r"[a-z][a-z-]+[a-z]", slug)] == []


def first(message: str, row: troubles.Trouble) -> str:
    about = "store" if row.about == "store" else "link"
    return next(one.slug for one in troubles.TABLE if one.fits(message, about, row.cloud or "aws"))


@rows
def test_a_row_is_the_first_that_fits_its_own_example(row):
    assert first(row.example, row) == row.slug


@with_event
def test_it_is_found_among_what_the_operator_says_around_it(row):
    around = "could not get secret data from provider error processing spec.data[0] (key: prod/db), err: "

    assert first(around + row.example, row) == row.slug


@of_stores
def test_a_row_that_is_for_stores_too_finds_its_example_there(row):
    access = factories.make_access(provider=PROVIDER_OF[row.cloud])

    assert causes.translate(row.example, access).slug == row.slug


@rows
def test_a_row_names_only_what_is_known(row):
    named = {name for text in texts_of(row) for _, name, _, _ in string.Formatter().parse(text) if name}

    assert named <= {*WORDS, *(() if row.about == "store" else OF_A_LINK)}
    if row.about == "both":
        assert not named & set(OF_A_LINK)


@rows
def test_a_row_names_methods_and_clouds_that_are_there(row):
    clouds = {provider.cloud or provider.slug for provider in PROVIDERS.values()}
    methods = {method.slug for provider in PROVIDERS.values() for method in provider.methods}

    assert row.cloud in {"", *clouds}
    assert set(row.remedies) <= methods


@rows
def test_its_texts_are_sentences_that_a_column_takes(row):
    for text in texts_of(row):
        filled = text.format_map(dict.fromkeys(CAPITALS, "x" * 30))

        assert text.endswith(".")
        assert "!" not in text
        assert "please" not in text.lower()
        assert len(filled) < 400


@rows
def test_the_document_has_a_section_that_says_the_same(row, sections: dict[str, Any]):
    section = sections[row.slug]

    assert row.example in section
    for text in texts_of(row):
        assert text.format_map(CAPITALS) in section


def test_the_document_has_no_other_sections(sections):
    assert list(sections) == [row.slug for row in troubles.TABLE]


class TestTheWrongPod:
    """The case of GitLab's page on troubleshooting: the identity is on another pod than the one that reads."""

    SAID = (
        "operation error Secrets Manager: GetSecretValue, get identity: get credentials: failed to refresh cached "
        "credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, canceled, context deadline exceeded"
    )

    def test_with_the_operators_own_identity_its_pod_needs_one(self):
        cause = causes.translate(self.SAID, factories.make_access(method="ambient"))

        assert cause.reason == "The operator's pod has no AWS identity."
        for word in ("operator's own pod", "not to those of a service", "Pod Identity", "IRSA", "hop limit"):
            assert word in cause.remedy

    def test_with_another_method_the_store_is_not_as_configured(self):
        cause = causes.translate(self.SAID, factories.make_access(method="role", name="shop-aws"))

        assert "A role on the pods of a service does nothing here" in cause.remedy
        assert "how shop-aws signs in" in cause.remedy


def test_a_trust_policy_is_told_whom_to_name():
    said = "api error AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
    access = factories.make_access(method="role")

    cause = causes.translate(said, access)

    assert f"system:serviceaccount:external-secrets:{access.service_account}" in cause.remedy


def test_words_of_one_cloud_are_not_read_as_anothers():
    said = "dial tcp 169.254.169.254:80: i/o timeout"

    assert causes.translate(said, factories.make_access()).slug == "identity-on-the-wrong-pod"
    google = factories.make_access(provider="gcp-secret-manager", method="ambient")
    assert causes.translate(said, google).slug == "google-metadata"


@pytest.mark.parametrize(
    ("who", "slug"),
    [
        ("external-secrets:external-secrets", "operator-rights"),
        ("external-secrets:keyhaven-1a2b3c4d", "another-cluster-denies"),
    ],
)
def test_who_may_not_read_secrets_is_the_operator_or_the_access(who, slug):
    said = f'secrets "db" is forbidden: User "system:serviceaccount:{who}" cannot get resource "secrets"'

    assert causes.translate(said, factories.make_access(provider="kubernetes")).slug == slug
