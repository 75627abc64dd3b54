"""Every provider keeps the same contract, over the network, against what stands in for its secret manager."""

import datetime
import logging
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from accesses import manifests, providers, trials
from tests.accesses.worlds import WORLDS, World, make_access

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]


@pytest.fixture(params=providers.PROVIDERS)
def slug(request):
    return request.param


@pytest.fixture
def provider(slug):
    return providers.PROVIDERS[slug]


@pytest.fixture
def found(slug, provider, sandbox_cloud, aws_endpoint, sandbox_google, google_endpoint) -> World:
    assert slug in WORLDS, "say in tests/accesses/worlds.py where its names come from"
    return WORLDS[slug]({"aws": sandbox_cloud, "gcp": sandbox_google}[provider.cloud])


@pytest.fixture
def access(slug, found) -> Any:
    return make_access(slug, found, found.good)


def test_it_is_described(provider, slug, project):
    assert provider.slug == slug
    assert provider.label
    assert provider.sentence
    assert provider.policy
    assert (project / "static" / "providers" / f"{slug}.svg").exists()
    for method in provider.methods:
        assert issubclass(method.form, providers.ConfigurationForm)
        assert provider.method(method.slug) is method
        assert method.consequence


def test_credentials_are_never_rendered_and_nothing_else_is_secret(provider):
    for method in provider.methods:
        names = method.form.secret_names()
        form = method.form(dict.fromkeys(names, "canary-value"))

        assert bool(names) == (method.slug in ("static", "key"))
        assert "canary-value" not in form.as_p()
        assert not set(names) & set(method.form.public_fields())


def test_the_form_takes_what_the_client_needs_and_blank_keeps_it(provider, found):
    method = provider.method(found.method)
    first = method.form(found.configuration | found.good)
    later = method.form(dict(found.configuration), stored=found.good)

    assert first.is_valid(), first.errors
    assert later.is_valid(), later.errors
    assert first.configuration() == later.configuration() == found.configuration
    assert first.credential(None) == later.credential(found.good) == found.good


def test_pages_list_every_name_once(provider, access, found):
    manager = trials.connect(access)
    names, cursor, more = [], "", True
    while more:
        page = manager.page(cursor=cursor)
        assert len(page.entries) <= 100
        names += [entry.name for entry in page.entries]
        cursor, more = page.cursor, bool(page.cursor)

    assert sorted(names) == sorted(found.names)


def test_a_prefix_is_answered_by_the_manager(provider, access, found):
    prefix = re.split(r"(?<=.[/-])", found.names[0])[0]

    names = [entry.name for entry in trials.connect(access).page(prefix=prefix).entries]

    assert names
    assert names == [name for name in found.names if name.startswith(prefix)][:100]


@pytest.mark.parametrize("prefix", ["!dev", "no such name", "ü", "*", "%", "x" * 600, "\x00", "'; --"])
def test_a_prefix_that_no_name_can_have_finds_nothing(provider, access, prefix):
    assert trials.connect(access).page(prefix=prefix).entries == []


def test_the_record_says_whether_the_client_tells_changes(provider, access):
    assert isinstance(trials.connect(access), providers.TellsChanges) is provider.tells_changes


@pytest.mark.parametrize("slug", [slug for slug, one in providers.PROVIDERS.items() if one.tells_changes])
def test_changes_since_long_ago_are_every_name_and_since_tomorrow_none(slug, provider, access, found):
    manager: Any = trials.connect(access)
    long_ago = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
    names, cursor, more = [], "", True
    while more:
        page = manager.changes(long_ago, cursor)
        names += [entry.name for entry in page.entries]
        cursor, more = page.cursor, bool(page.cursor)

    tomorrow = manager.changes(datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1))

    assert sorted(names) == sorted(found.names)
    assert (tomorrow.entries, tomorrow.cursor) == ([], "")


def test_an_entry_holds_no_value(provider, access, found):
    name = found.names[0]
    entry = trials.connect(access).page(prefix=name).entries[0]

    assert entry.name == name
    assert entry.reference
    assert found.value(name) not in repr(entry)


def test_a_wrong_credential_is_refused(slug, provider, found):
    with pytest.raises(providers.CredentialRefused) as refusal:
        trials.connect(make_access(slug, found, found.wrong)).page()

    assert refusal.value.remedy


def test_no_credential_is_refused_as_well(slug, provider, found):
    """What the console's own surroundings hold must never step in."""
    for credential in ({}, dict.fromkeys(found.good, "")):
        with pytest.raises(providers.CredentialRefused):
            trials.connect(make_access(slug, found, credential)).page()


def test_a_missing_permission_is_named_with_what_to_add(slug, provider, found):
    with pytest.raises(providers.PermissionMissing) as refusal:
        trials.connect(make_access(slug, found, found.limited)).page()

    assert refusal.value.permission == found.permission
    assert found.permission in refusal.value.remedy
    assert found.permission in refusal.value.policy


def test_nobody_there_is_not_reachable(provider, access, found, monkeypatch):
    found.nowhere(monkeypatch)

    with pytest.raises(providers.NotReachable) as refusal:
        trials.connect(access).page()

    assert refusal.value.retryable


@pytest.mark.parametrize("kind", ["good", "wrong", "limited"])
def test_nothing_tells_the_credential(slug, found, kind, caplog):
    credential = getattr(found, kind)
    access = make_access(slug, found, credential)

    with caplog.at_level(logging.DEBUG):
        result = trials.try_access(access)

    for value in credential.values():
        assert value not in caplog.text + repr(result) + repr(access) + repr(manifests.preview(access))


def test_the_manifests_satisfy_the_operators_schema(access, shared, tmp_path):
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(filter(None, [manifests.store(access), manifests.secret(access)])))
    validator = shared / "tools" / "validate_manifests.py"

    checked = subprocess.run(
        [sys.executable, str(validator), str(file)], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_reference_of_the_store_says_its_namespace_and_is_in_the_secret(access):
    """Without a namespace the operator would look in the namespace of whoever asks."""
    access.cluster.operator_namespace = "platform"
    secret = manifests.secret(access)
    assert secret is not None

    selectors = list(_selectors(manifests.store(access)["spec"]["provider"]))

    assert selectors
    assert {one["namespace"] for one in selectors} == {"platform"} == {secret["metadata"]["namespace"]}
    assert {one["name"] for one in selectors} == {secret["metadata"]["name"]}
    assert {one["key"] for one in selectors} == set(secret["data"])


def _selectors(node: Any) -> Any:
    if isinstance(node, dict):
        if {"name", "key"} <= set(node):
            yield node
        for value in node.values():
            yield from _selectors(value)
