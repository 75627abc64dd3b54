"""What people enter stands in addresses and templates: it leads to no other one, and to nobody else."""

import shlex
from typing import Any

import pytest
from django import forms as django_forms

from accesses import providers, trials
from accesses.providers.addresses import AddressField
from accesses.providers.asking import Api, check_path
from accesses.providers.http import paths as http_paths
from accesses.providers.http import templates as http_templates
from accesses.setup import cards
from credentials.clouds import errors
from external_secrets import inside
from tests import factories
from tests.accesses import worlds
from tests.accesses.worlds import Sandbox, make_access

ONE_EACH = list({slug: (slug, method) for slug, method in reversed(worlds.cases())}.values())
DOTS = ["/v1/secret/../sys/health", "/v1/./x", "/v1/%2e%2e/x", "/v1/%2E./x", "/v1/a%2F..%2Fb", "/v1/.."]
PLAIN = ["/v1/a..b/c", "/v1/...", "/v1/.hidden", "/v1/a?next=../x", ""]


@pytest.mark.parametrize("path", DOTS)
def test_dots_that_a_client_would_resolve_are_never_sent(path):
    with pytest.raises(errors.NotValid):
        Api("Vault", "http://127.0.0.1:9", ()).ask("GET", path)


@pytest.mark.parametrize("path", PLAIN)
def test_other_dots_are_letters_like_others(path):
    check_path(path)


HOSTILE = [
    "http://169.254.169.254", "http://169.254.169.254/latest", "http://[::ffff:169.254.169.254]", "http://2852039166",
    "http://0xA9FEA9FE", "http://[fd00:ec2::254]", "http://metadata.google.internal", "http://METADATA.google.internal.",
    "http://me@safe.example", "http://me:pw@safe.example", "http://safe.example?x", "http://safe.example#x",
    "http://safe.example\\@thief.example", "http://safe.example/{{.credential.token}}", "file:///etc/passwd",
    "gopher://127.0.0.1", "http://", "http://a b", "http://safe.example:99999", "http://0.0.0.0", "http://[fe80::1]",
    "http://224.0.0.1", "http://100.100.100.200", "http://168.63.129.16", "http://[64:ff9b::a9fe:a9fe]",
    "http://safe.example\nHost: thief.example",
]  # fmt: skip


@pytest.mark.parametrize("address", HOSTILE)
def test_an_address_is_one_alone_and_nobodys_metadata(address):
    with pytest.raises(django_forms.ValidationError):
        AddressField(example="https://safe.example").clean(address)


@pytest.mark.django_db
@pytest.mark.parametrize("address", HOSTILE)
@pytest.mark.parametrize(
    ("slug", "method"),
    [(p.slug, m.slug) for p in providers.PROVIDERS.values() for m in p.methods if m.form.addresses()],
)
def test_every_provider_with_an_address_refuses_it_in_its_form(slug, method, address):
    form_class = providers.PROVIDERS[slug].method(method).form

    for name in form_class.addresses():
        typed = f"{address}/{{key}}" if name == "url" and "?" not in address else address
        form = form_class({name: typed})

        assert name in form.errors


@pytest.mark.parametrize("path", ["$['{{ .credential.token }}']", '$["{{ .credential.token }}"]', "$.{{x}}"])
def test_a_path_to_the_value_is_no_template(path):
    with pytest.raises(http_paths.NotAPath):
        http_paths.steps(path)


@pytest.mark.parametrize(
    "text",
    ["{{ .credential.token }}", "{{{key}}}", "{{key}}", "{ {{", "{%25x", "{{-", "{\n{{ fail }}", "{}{{}}"],
)
def test_braces_that_a_person_wrote_are_no_actions_of_the_operators_templates(text):
    made = http_templates.operators(text)

    actions = [part.partition("}}")[0].strip() for part in made.split("{{")[1:]]
    assert set(actions) <= {'"{"', ".remoteRef.key"}


LEADING = [
    "team/../prod/db",
    "team/./db",
    "team/%2e%2e/prod",
    "team/..",
    "team\\..\\prod",
    "team%2F..%2Fprod",
]


@pytest.mark.django_db
@pytest.mark.parametrize("key", LEADING)
@pytest.mark.parametrize("takes", ["value", "keys", "path"])
def test_no_link_leads_out_of_the_prefix_by_dots(key, takes):
    access = factories.make_access(provider="conjur", method="api-key", prefix="team/")

    found = inside.wrong(access, {"takes": takes, "key": key})

    assert found == (
        "below" if takes == "path" else "key",
        "No part of a name is . or .., which lead elsewhere.",
    )


CURSORS = [
    "9" * 5000, "-1", "0x10", "²", "../../sys/health", "http://169.254.169.254/", "deleted?x=y&api-version=1", "live?#",
    "live?\r\nX: y", "1:\x00", "\x00", ":", "9999999999999999999:zzz", "prod/", "ü" * 300,
]  # fmt: skip


@pytest.mark.sandbox
@pytest.mark.django_db
@pytest.mark.parametrize(("slug", "method"), ONE_EACH)
def test_a_cursor_that_somebody_made_up_is_a_place_in_the_list_or_is_refused(slug, method, request):
    found = worlds.of(slug, method, Sandbox(request))
    access = make_access(slug, found, found.good)
    manager = trials.connect(access)

    for cursor in CURSORS:
        names = _page(manager, cursor)
        assert set(names) <= set(found.names), cursor


def _page(manager: Any, cursor: str) -> list[str]:
    try:
        return [entry.name for entry in manager.page(cursor=cursor).entries]
    except providers.ProviderError:
        return []


ODD = "https://issuer.example/;$(touch${IFS}here)`id`"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("slug", "method"),
    [
        ("conjur", "jwt"),
        ("conjur", "api-key"),
        ("vault", "kubernetes"),
        ("azure-key-vault", "workload-identity"),
    ],
)
def test_what_a_cluster_says_of_itself_runs_nothing_where_a_command_is_pasted(slug, method):
    cluster = factories.make_cluster(issuer=ODD, server=ODD)
    access = factories.make_access(
        cluster=cluster, provider=slug, method=method,
        configuration={"address": ODD, "audience": ODD, "vault": "acme", "account": "acme"},
    )  # fmt: skip

    shown = [text for text in cards.context(access).values() if isinstance(text, str)]

    commands = [text for text in shown if ODD in text and text != ODD]
    assert commands
    for text in commands:
        assert [word for word in shlex.split(text, comments=True) if "here)" in word]
        assert _bare(text) == ""


def _bare(text: str) -> str:
    """Return what of an odd text stands outside of single quotes, where a shell would act on it."""
    outside = "".join(text.split("'")[::2])
    return outside if "$(touch" in outside or "`id`" in outside else ""
