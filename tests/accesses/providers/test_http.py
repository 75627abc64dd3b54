"""What is particular to HTTP sources: templates, paths, the one request that the test sends, and what is deployed."""

import subprocess
import sys
from typing import Any

import pytest
import yaml

from accesses import manifests, providers, trials
from accesses.providers import references
from accesses.providers.http import forms as http_forms
from accesses.providers.http import paths as http_paths
from accesses.providers.http import record as http
from accesses.providers.http import references as http_references
from accesses.providers.http import templates as http_templates
from sandbox import reading_webhook
from tests import factories
from tests.accesses.providers.forms import errors_of
from tests.accesses.worlds import http as played

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

PROVIDER = providers.PROVIDERS["http"]
KEY = "prod/shop/database"


@pytest.fixture
def source(vendors) -> Any:
    vendors["http"].plant("asked")
    return vendors["http"]


def make(source: Any, **fields: Any) -> Any:
    credential = fields.pop("credential", {"credential_value": source["token"]})
    return factories.make_access(
        provider="http",
        method="header",
        configuration=played.configuration(source, **fields),
        credential=credential,
    )


# -- forms ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("url", "secrets/{key}", "Enter an address such as"),
        ("url", "https://{key}.example.com/x", "The host is written out"),
        ("url", "https://x.example.com:{key}/x", "Enter an address such as"),
        ("url", "https://x.example.com/{key}/{name}", "Between braces stands"),
        ("url", "https://x.example.com/{{ .remoteRef.key }}", "Between braces stands"),
        ("url", "https://x.example.com/fixed", "goes nowhere"),
        ("url", "https://u:p@x.example.com/{key}", "without a user"),
        ("url", "https://x.example.com/{key}#x", "never sent"),
        ("url", "http://169.254.169.254/{key}", "never called"),
        ("url", "ftp://x.example.com/{key}", "Enter an address such as"),
        ("path", "data.value", "begins with $"),
        ("path", "$..value", "leads to one value"),
        ("path", "$.items[*]", "leads to one value"),
        ("path", "$.items[?(@.a==1)]", "leads to one value"),
        ("body", '{"a": "{key}"}', "A GET sends no body"),
        ("header", "Host", "no header that carries"),
        ("header", "X Key", "no header that carries"),
        ("credential_value", "two\nlines", "on one line"),
        ("test_key", "a b", "A name has"),
        ("timeout", "0", "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(source, field, typed, words):
    form = http_forms.HeaderForm(played.configuration(source) | {"credential_value": "t", field: typed})

    assert words in errors_of(form, field)


# -- templates and paths -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        "https://x/{key}", '{"name": "{key}"}', '{"a": {"b": {"c": "{key}"}}}', "{{key}}", "{{ .credential.token }}",
        "{{{key}{property}}}", "{", "{{", "}}{key}", '{{ "x" }}', "{key}{{key",
    ],
)  # fmt: skip
def test_what_the_operator_makes_of_a_template_is_what_was_meant(text):
    values = {"key": "a/b", "property": "p", "version": ""}

    made = reading_webhook.filled(
        http_templates.operators(text), {"remoteRef": values, "credential": {"token": "secret"}}
    )

    assert made == http_templates.filled(text, values, address=False)
    assert "secret" not in made


def test_a_name_is_escaped_in_an_address_as_the_operator_does_it():
    assert http_templates.filled("https://x/{key}?f={property}", {"key": "a/b c&d"}, address=True) == (
        "https://x/a%2Fb+c%26d?f="
    )


@pytest.mark.parametrize(
    ("path", "there"),
    [("$.a.b[0]", True), ("$['a']['b'][1].c", True), ('$["a"]', True), ("$", True), ("", True),
     ("$.a.n", False), ("$.a.b[9]", False), ("$.x", False), ("$.a.b.c", False)],
)  # fmt: skip
def test_a_path_leads_somewhere_or_not(path, there):
    assert http_paths.leads({"a": {"b": [1, {"c": 2}], "n": None}}, path) is there


# -- the test --------------------------------------------------------------------------------------------------
def test_without_a_name_to_test_with_nothing_is_asked(source):
    result = trials.try_access(make(source))

    assert result.usable
    assert result.untried
    assert source.plant("asked")["asked"] == []


def test_a_name_to_test_with_is_asked_once_and_nothing_of_it_is_kept(source, caplog):
    value = source.plant("value", name="prod/db-password")["value"]

    result = trials.try_access(make(source, test_key="prod/db-password"))

    assert "It answered for the name to test with." in result.reason
    assert source.plant("asked")["asked"] == ["prod/db-password"]
    assert value not in repr(result) + caplog.text


@pytest.mark.parametrize(
    ("fields", "about", "words"),
    [
        ({"credential": {"credential_value": "wrong"}}, "credential_value", "does not know the credential"),
        ({"test_key": "private/x"}, "credential_value", "does not give it the name"),
        ({"test_key": "nope"}, "test_key", "has nothing for the name"),
        ({"path": "$.nope"}, "", "nothing at the path"),
    ],
)
def test_what_it_answers_is_translated(source, fields, about, words):
    result = trials.try_access(make(source, **({"test_key": KEY} | fields)))

    assert not result.usable
    assert words in result.reason
    assert result.about == about


@pytest.mark.parametrize("one", http.REFUSALS, ids=lambda one: str(one.status))
def test_every_refusal_of_the_table_becomes_its_error(source, one):
    source.plant("faults", status=one.status, body={"error": "canary-words"})

    with pytest.raises(one.error) as refusal:
        trials.connect(make(source, test_key=KEY)).page()

    assert refusal.value.reason == one.reason
    assert "canary-words" not in refusal.value.reason + refusal.value.remedy


@pytest.mark.parametrize("fault", [{"html": True}, {"status": 302, "location": "http://x/"}, {"status": 500}])
def test_proxies_redirects_and_errors_are_no_values(source, fault):
    source.plant("faults", **fault)

    with pytest.raises(providers.NotReachable):
        trials.connect(make(source, test_key=KEY)).page()


def test_nobody_there_is_not_reachable(source):
    with pytest.raises(providers.NotReachable):
        trials.connect(make(source, test_key=KEY, url="http://127.0.0.1:9/{key}")).page()


# -- references ------------------------------------------------------------------------------------------------
def test_what_can_be_linked_depends_on_the_address(source):
    plain, whole = make(source), make(source, url="https://x/{key}?f={property}&v={version}")

    assert PROVIDER.references_of(plain).cannot["json_field"] == http_references.NO_FIELD
    assert PROVIDER.references_of(plain).versions == {}
    assert "json_field" not in PROVIDER.references_of(whole).cannot
    assert set(PROVIDER.references_of(whole).versions) == {"version"}


def test_several_are_refused_with_the_reason(source):
    rules = PROVIDER.references_of(make(source))

    assert {"path", "tags"} <= set(rules.cannot)
    with pytest.raises(references.NotReadable, match="one name at a time"):
        rules.below.clean("prod/")


@pytest.mark.parametrize("typed", ["a b", "a{b", 'a"b', "a\\b", "a&b", "ü", "a?b"])
def test_what_would_change_the_request_is_no_name(typed):
    with pytest.raises(references.NotReadable, match="is no name here"):
        http_references.PLAIN_SOURCE.read(typed)


def test_slashes_in_a_path_are_told(source):
    rules, reference = http_references.PLAIN_SOURCE, http_references.PLAIN_SOURCE.read("a/b")

    assert (
        rules.check(make(source, url="https://x/{key}"), reference, {})[0].title
        == "The slashes are sent as %2F"
    )
    assert rules.check(make(source), reference, {}) == []


# -- deployed --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("header", {}),
        ("header", {"ca": "ca", "verb": "POST", "body": '{"n": "{key}"}'}),
        ("open", {"path": ""}),
    ],
)
def test_its_manifests_satisfy_the_operators_schema(source, method, fields, shared, tmp_path):
    access = make(source, **fields)
    if method == "open":
        access.method, access.credential = "open", None
    found = [manifests.store(access), manifests.secret(access)]
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(filter(None, found)))

    checked = subprocess.run(
        [sys.executable, str(shared / "tools" / "validate_manifests.py"), str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert source["token"] not in repr(found[0])
    if found[1]:
        assert found[1]["metadata"]["labels"]["external-secrets.io/type"] == "webhook"
