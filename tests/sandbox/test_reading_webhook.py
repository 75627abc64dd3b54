"""What plays the operator fills webhook templates and follows JSONPaths as the operator does."""

import pytest

from sandbox import reading_webhook
from sandbox.reading_values import Failed

DATA = {"auth": {"user": "shop", "password": "p w"}, "remoteRef": {"key": "prod/db", "property": ""}}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("a/{{ .remoteRef.key }}/b", "a/prod/db/b"),
        ("{{- .auth.user -}}", "shop"),
        ("{{ .auth.nothing }}{{ .nobody.x }}", ""),
        ("{{ .auth.password | urlquery }}", "p+w"),
        ('Basic {{ print .auth.user ":" .auth.password | b64enc }}', "Basic c2hvcDpwIHc="),
        ('{"k": {{ .auth.password | quote }}}', '{"k": "p w"}'),
        ('{{ replace "/" "-" .remoteRef.key }}', "prod-db"),
        ('{{ .remoteRef.property | default "value" }}', "value"),
        ('{{ "a|b" }}', "a|b"),
    ],
)
def test_templates_are_filled(template, text):
    assert reading_webhook.filled(template, DATA) == text


@pytest.mark.parametrize(
    "template", ["{{ }}", "{{ nothing .auth.user }}", "{{ .auth }}", '{{ "%" | b64dec }}']
)
def test_what_the_operator_does_not_understand_fails(template):
    with pytest.raises(Failed):
        reading_webhook.filled(template, DATA)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", {"a": {"b c": [1, "x"]}}),
        ("$.a['b c'][1]", "x"),
        ('$.a["b c"][0]', 1),
        ("$.a", {"b c": [1, "x"]}),
    ],
)
def test_paths_lead_into_json(path, found):
    assert reading_webhook.at({"a": {"b c": [1, "x"]}}, path) == found


@pytest.mark.parametrize("path", ["$.x", "$.a.x", "$.a['b c'][7]", "$..a", "$.a[?(@.x)]"])
def test_a_path_to_nothing_fails(path):
    with pytest.raises(Failed):
        reading_webhook.at({"a": {"b c": [1, "x"]}}, path)
