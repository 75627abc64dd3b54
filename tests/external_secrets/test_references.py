"""What a person types or pastes becomes a reference, or is refused with what is wrong with it."""

from typing import Any

import pytest
from django.template.loader import render_to_string

from accesses.providers.references import NotReadable
from external_secrets import forms, references
from external_secrets.models import InventoryState
from tests import factories

pytestmark = pytest.mark.django_db

ARN = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:app/db-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-west-3:123456789012:parameter/app/db"


@pytest.fixture
def parameters(cluster) -> Any:
    return factories.make_access(cluster=cluster, provider="aws-parameter-store", namespaces=["shop"])


@pytest.fixture
def google(cluster) -> Any:
    return factories.make_access(
        cluster=cluster, provider="gcp-secret-manager", method="federation", credential=None, namespaces=["shop"],
        configuration={"project": "acme-secrets", "region": "", "email": "", "audience": AUDIENCE},
    )  # fmt: skip


AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k"


def form_of(access: Any, **data: str) -> forms.ReferenceForm:
    return forms.ReferenceForm(access, data=data)


# -- what is typed or pasted -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app/db", {"key": "app/db"}),
        ("  app/db#password ", {"key": "app/db", "json_field": "password"}),
        ("app/db#a#b", {"key": "app/db", "json_field": "a#b"}),
        (ARN, {"key": ARN, "region": "eu-west-3", "account": "123456789012"}),
        (f"{ARN}#user", {"key": ARN, "json_field": "user"}),
        (f"{ARN}:user:AWSPREVIOUS:", {"key": ARN, "json_field": "user", "version_stage": "AWSPREVIOUS"}),
        (
            "https://eu-west-1.console.aws.amazon.com/secretsmanager/secret?name=app%2Fdb&region=eu-west-1",
            {"key": "app/db", "region": "eu-west-1"},
        ),
    ],
)
def test_secrets_manager(access, text, expected):
    found = references.parse(access, text)

    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/app/db#password", {"key": "/app/db", "json_field": "password"}),
        (PARAMETER, {"key": PARAMETER, "region": "eu-west-3"}),
        (f"{PARAMETER}:3", {"key": PARAMETER, "version": "3"}),
        (
            "https://eu-west-3.console.aws.amazon.com/systems-manager/parameters/%252Fapp%252Fdb/description?region=eu-west-3",
            {"key": "/app/db", "region": "eu-west-3"},
        ),
    ],
)
def test_parameter_store(parameters, text, expected):
    found = references.parse(parameters, text)

    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app-db#password", {"key": "app-db", "json_field": "password"}),
        ("projects/acme-secrets/secrets/app-db/versions/3", {"key": "app-db", "version": "3"}),
        (
            "https://console.cloud.google.com/security/secret-manager/secret/app-db/versions?project=acme-secrets",
            {"key": "app-db", "account": "acme-secrets"},
        ),
    ],
)
def test_google(google, text, expected):
    found = references.parse(google, text)

    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#password", "Before # comes the secret's name"),
        ("app/db#", "After # comes a JSON field"),
        ("app db", "is no name of a secret"),
        ("clé", "It has é."),
        (ARN[:-7], "six characters"),
        ("arn:aws:secretsmanager:eu-west-3:12345:secret:app-AbCdEf", "This ARN is not whole"),
        ("arn:aws:secretsmanager:eu-west-3", "This ARN is not whole"),
        (PARAMETER, "an ARN of Parameter Store; this access reads Secrets Manager"),
        ("arn:aws:iam::123456789012:role/x", "an ARN of iam"),
        ("https://example.com/?name=app", "This address names no secret"),
        ("x" * 600, "is no name of a secret"),
    ],
)
def test_what_names_no_secret_is_an_error_of_the_field(access, text, words):
    form = form_of(access, key=text)

    assert list(form.errors) == ["key"]
    assert words in form.errors["key"][0]


def test_an_error_never_quotes_a_control_character(access):
    form = form_of(access, key="app\ndb", json_field="a\x07b")

    assert set(form.errors) == {"key", "json_field"}


# -- an ARN and its region ---------------------------------------------------------------------------------------
def test_an_arn_of_another_region_offers_that_region_and_takes_it_when_sent_again(access):
    elsewhere = ARN.replace("eu-west-3", "eu-west-1")
    form = form_of(access, key=elsewhere)

    assert "This secret is in eu-west-1, and aws reads eu-west-3" in form.errors["key"][0]
    assert form["region"].value() == "eu-west-1"
    assert form.is_elsewhere_open
    again = form_of(access, key=elsewhere, region=form["region"].value())
    assert again.is_valid(), again.errors
    assert again.overrides == {"region": "eu-west-1"}


def test_a_region_that_was_chosen_and_is_not_the_arns_is_its_fields_error(access):
    form = form_of(access, key=ARN.replace("eu-west-3", "eu-west-1"), region="us-east-1")

    assert list(form.errors) == ["region"]


def test_the_accesses_own_region_is_no_override(access):
    form = form_of(access, key=ARN, region="eu-west-3")

    assert form.is_valid()
    assert form.overrides == {}


def test_another_account_is_a_note_with_what_the_owner_pastes(cluster):
    access = factories.make_access(
        cluster=cluster, method="federation", credential=None,
        configuration={"region": "eu-west-3", "role_arn": "arn:aws:iam::111122223333:role/reader"},
    )  # fmt: skip
    form = form_of(access, key=ARN)

    (note,) = form.all_notes

    assert form.is_valid()
    assert note.title == "This secret is of account 123456789012, not of 111122223333"
    assert [label for label, _ in note.pastes] == [
        "Resource policy of the secret", "Key policy of its KMS key", "Policy of the reader",
    ]  # fmt: skip
    assert "arn:aws:iam::111122223333:role/reader" in note.pastes[0][1]


def test_a_google_secret_of_another_project_is_refused_with_the_reason(google):
    form = form_of(google, key="projects/other/secrets/db")

    assert "add an access for other" in form.errors["key"][0]


def test_a_regional_google_secret_offers_its_region(google):
    form = form_of(google, key="projects/acme-secrets/locations/europe-west9/secrets/db")

    assert not form.is_valid()
    assert form["region"].value() == "europe-west9"


# -- fields and versions -----------------------------------------------------------------------------------------
def test_what_stands_behind_the_name_and_in_its_field_must_agree(access):
    form = form_of(access, key="app/db#user", json_field="password")

    assert list(form.errors) == ["json_field"]


@pytest.mark.parametrize("json_field", [".a", "a.", "a..b"])
def test_a_dot_with_nothing_beside_it_is_refused(access, json_field):
    assert "json_field" in form_of(access, key="app", json_field=json_field).errors


@pytest.mark.parametrize(
    ("provider", "version", "good"),
    [
        ("parameters", "3", True), ("parameters", "stable", True), ("parameters", "0", False),
        ("parameters", "3rd", False), ("parameters", "awsome", False),
        ("google", "latest", True), ("google", "12", True), ("google", "a b", False),
    ],
)  # fmt: skip
def test_versions_are_as_the_manager_has_them(request, provider, version, good):
    access = request.getfixturevalue(provider)

    form = form_of(access, key="db", version=version)

    assert form.is_valid() is good
    if good:
        assert form.reference_values["version"] == version


def test_only_the_managers_own_version_fields_are_there(access, parameters):
    assert {"version_id", "version_stage"} == set(form_of(access).fields) & set(VERSIONS)
    assert {"version"} == set(form_of(parameters).fields) & set(VERSIONS)


VERSIONS = ("version_id", "version_stage", "version")


# -- several -------------------------------------------------------------------------------------------------------
def test_several_take_no_field_and_no_version(access):
    form = form_of(access, takes="path", below="app/", json_field="a", version_id="0" * 32)

    assert set(form.errors) == {"json_field", "version_id"}


@pytest.mark.parametrize(
    ("provider", "typed", "key"),
    [("access", "app/*", "app/"), ("parameters", "/app/", "/app"), ("parameters", "/", "/"), ("google", "app-", "app-")],
)  # fmt: skip
def test_a_path_is_kept_as_the_operator_takes_it(request, provider, typed, key):
    form = form_of(request.getfixturevalue(provider), takes="path", below=typed)

    assert form.is_valid(), form.errors
    assert form.reference_values["key"] == key


def test_a_path_of_parameter_store_is_absolute(parameters):
    form = form_of(parameters, takes="path", below="app/db")

    assert "is absolute: /app/db" in form.errors["below"][0]


@pytest.mark.parametrize("tags", ["", "env", "env=", "=prod", "env=a\nenv=b"])
def test_tags_have_names_and_values_once(access, tags):
    assert "tags" in form_of(access, takes="tags", tags=tags).errors


def test_tags_are_columns(access):
    form = form_of(access, takes="tags", tags="env=prod\n team = shop ", key="left over")

    assert form.is_valid(), form.errors
    assert form.reference_values == {
        "takes": "tags", "key": "", "tags": {"env": "prod", "team": "shop"}, "json_field": "", "version": "",
    }  # fmt: skip


# -- overrides -----------------------------------------------------------------------------------------------------
def test_what_the_access_cannot_do_is_there_and_says_why(access):
    form = form_of(access, key="app", audience="x")

    assert form.fields["audience"].disabled
    assert "signs in with an access key" in form.fields["audience"].help_text
    assert form.is_valid()
    assert form.overrides == {}


def test_a_role_is_of_the_regions_partition(access):
    form = form_of(access, key="app", role_arn="arn:aws-cn:iam::123456789012:role/x")

    assert list(form.errors) == ["role_arn"]


def test_an_automatic_role_takes_no_other_audience(cluster):
    cluster.account = "123456789012"
    automatic = factories.make_access(cluster=cluster, method="automatic", credential=None)

    form = form_of(automatic, key="app", audience="other")

    assert list(form.errors) == ["audience"]


def test_the_trust_of_another_role_names_the_account_that_will_be_made(cluster):
    from accesses import variants

    cluster.issuer = "https://oidc.example.com/id"
    access = factories.make_access(
        cluster=cluster, method="role", credential=None,
        configuration={"region": "eu-west-3", "role_arn": "arn:aws:iam::123456789012:role/reader"},
    )  # fmt: skip
    form = form_of(access, key="app", role_arn="arn:aws:iam::999999999999:role/other")

    (note,) = form.all_notes
    made = variants.use(access, **form.overrides)

    assert made.service_account in note.pastes[0][1]
    assert "arn:aws:iam::999999999999:oidc-provider/oidc.example.com/id" in note.pastes[0][1]


# -- what several would yield ------------------------------------------------------------------------------------------
def test_a_preview_has_names_keys_and_variables(access, fill):
    fill("app/db", "app/mail-key", "apple", "other")

    found = references.preview(access, {"takes": "path", "key": "app/"})

    assert [(one.name, one.key, one.variable) for one in found.names] == [
        ("app/db", "app_db", "APP_DB"), ("app/mail-key", "app_mail-key", "APP_MAIL_KEY"),
    ]  # fmt: skip
    assert (found.total, found.more, found.collisions, found.illegal) == (2, False, [], [])
    assert found.age is not None


def test_a_preview_names_what_would_be_one_key(access, fill):
    fill("app/a@b", "app/a=b", "app/c")

    found = references.preview(access, {"takes": "path", "key": "app/"})

    assert found.collisions == [("app_a_b", ["app/a=b", "app/a@b"])]


def test_a_preview_by_tags_knows_beginnings_as_secrets_manager_does(access):
    InventoryState.objects.create(access=access, read_at="2026-11-21T12:00Z")
    for name, tags in (("a", {"env": "production"}), ("b", {"env": "dev"}), ("c", {})):
        factories.make_entry(access, name, tags=tags)

    found = references.preview(access, {"takes": "tags", "tags": {"env": "prod"}})

    assert [one.name for one in found.names] == ["a"]


def test_a_preview_says_what_it_cannot_know(access, parameters):
    assert "never reads a value" in references.preview(access, {"takes": "keys", "key": "a"}).unknown
    assert "lists names without tags" in references.preview(parameters, {"takes": "tags"}).unknown
    assert "were not read yet" in references.preview(access, {"takes": "path", "key": "a"}).unknown


def test_a_preview_takes_three_queries_for_any_number_of_names(access, fill, django_assert_max_num_queries):
    fill(*(f"app/{number}" for number in range(500)))

    with django_assert_max_num_queries(3):
        found = references.preview(access, {"takes": "path", "key": "app/"})

    assert (len(found.names), found.total, found.rest) == (50, 500, 450)


def test_the_fields_are_drawn_with_what_several_would_yield(access, fill):
    fill("app/a@b", "app/a=b")
    form = form_of(access, takes="path", below="app/")

    page = render_to_string(
        "external_secrets/reference_fields.html",
        forms.preview_context(form) | {"preview_url": "/preview/"},
    )

    assert "2 names would become the key app_a_b" in page
    assert "Read it from elsewhere" in page
    assert 'hx-get="/preview/"' in page


def test_the_preview_of_a_link_that_is_there_needs_nothing_sent(service, access, fill):
    fill("app/db")
    link = factories.make_link(service=service, access=access, takes="path", key="app/", variable="X_")

    found = forms.preview_context(
        forms.ReferenceForm(access, initial=forms.ReferenceForm.of_link(link)), "X_"
    )

    assert [one.variable for one in found["preview"].names] == ["X_APP_DB"]


def test_a_preview_keeps_what_was_found_wrong_besides(access, fill):
    fill("app/db")
    form = form_of(access, takes="path", below="app/")
    form.add_error(None, "Something else.")

    forms.preview_context(form)

    assert form.non_field_errors() == ["Something else."]


def test_what_is_read_elsewhere_is_not_previewed(access, fill):
    fill("app/db")

    found = forms.preview_context(form_of(access, takes="path", below="app/", region="eu-west-1"))

    assert "not known" in found["preview"].unknown


# -- a link that is there --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "columns",
    [
        {"key": "app/db", "json_field": "user", "version": "uuid/" + "0" * 32},
        {"key": "app/db", "version": "AWSPREVIOUS"},
        {"takes": "keys", "key": "app/db"},
        {"takes": "path", "key": "app/", "variable": ""},
        {"takes": "tags", "key": "", "tags": {"env": "prod"}, "variable": ""},
    ],
)
def test_a_link_is_edited_as_it_is(service, access, columns):
    link = factories.make_link(service=service, access=access, **columns)

    form = forms.ReferenceForm(access, data=forms.ReferenceForm.of_link(link))

    assert form.is_valid(), form.errors
    values = form.reference_values
    assert values == {name: getattr(link, name) for name in values}


def test_a_parsed_name_is_what_the_form_begins_with(access):
    assert forms.ReferenceForm.initial_of(access, "app/db#user")["json_field"] == "user"
    assert forms.ReferenceForm.initial_of(access, "no name #")["key"] == "no name #"
    with pytest.raises(NotReadable):
        references.parse(access, "no name #")
