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
from tests.accesses import worlds
from tests.accesses.worlds import Sandbox, World, make_access

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]


CASES = worlds.cases()
LISTED = [case for case in CASES if not providers.PROVIDERS[case[0]].unlisted]


def _id(case: tuple[str, str]) -> str:
    return "-by-".join(case)


@pytest.fixture(params=CASES, ids=_id)
def case(request):
    return request.param


@pytest.fixture
def slug(case):
    return case[0]


@pytest.fixture
def provider(slug):
    return providers.PROVIDERS[slug]


@pytest.fixture
def found(case, request) -> World:
    return worlds.of(*case, Sandbox(request))


@pytest.fixture
def access(slug, found) -> Any:
    return make_access(slug, found, found.good)


listed = pytest.mark.parametrize("case", LISTED, ids=_id)


@pytest.mark.parametrize("slug", providers.PROVIDERS)
def test_it_is_described(slug, project):
    provider = providers.PROVIDERS[slug]

    assert provider.slug == slug
    assert provider.label
    assert provider.sentence
    assert provider.policy
    assert provider.limits
    assert (project / "static" / "providers" / f"{slug}.svg").exists()
    for method in provider.methods:
        assert issubclass(method.form, providers.ConfigurationForm)
        assert provider.method(method.slug) is method
        assert method.consequence


@pytest.mark.parametrize("slug", providers.PROVIDERS)
def test_its_page_in_the_docs_tells_what_its_record_says(slug, project):
    provider = providers.PROVIDERS[slug]
    page = (project / "docs" / "providers" / f"{slug}.md").read_text()
    told = " ".join(page.split())

    said = [provider.label, provider.limits, provider.unlisted, *(one.label for one in provider.methods)]
    said += [one.reason.replace("{permission}", "…") for one in provider.refusals]
    assert [one for one in said if " ".join(one.split()) not in told] == []
    assert [line for line in provider.policy.splitlines() if line.strip() not in page] == []
    if provider.writing is not None:
        lines = provider.writing.policy.splitlines()
        assert [line for line in lines if line.strip() not in page] == []


@pytest.mark.parametrize("slug", providers.PROVIDERS)
def test_credentials_are_never_rendered_and_nothing_else_is_secret(slug):
    for method in providers.PROVIDERS[slug].methods:
        names = method.form.secret_names()
        form = method.form(dict.fromkeys(names, "canary-value"))

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


@listed
def test_pages_list_every_name_once(provider, access, found):
    manager = trials.connect(access)
    names, cursor, more = [], "", True
    while more:
        page = manager.page(cursor=cursor)
        assert len(page.entries) <= 100
        names += [entry.name for entry in page.entries]
        cursor, more = page.cursor, bool(page.cursor)

    assert sorted(names) == sorted(found.names)


@listed
def test_a_prefix_is_answered_by_the_manager(provider, access, found):
    prefix = re.split(r"(?<=.[/-])", found.names[0])[0]

    names = [entry.name for entry in trials.connect(access).page(prefix=prefix).entries]

    assert names
    assert names == [name for name in found.names if name.startswith(prefix)][:100]


@listed
@pytest.mark.parametrize("prefix", ["!dev", "no such name", "ü", "*", "%", "x" * 600, "\x00", "'; --"])
def test_a_prefix_that_no_name_can_have_finds_nothing(provider, access, prefix):
    assert trials.connect(access).page(prefix=prefix).entries == []


def test_the_record_says_whether_the_client_tells_changes(provider, access):
    assert isinstance(trials.connect(access), providers.TellsChanges) is provider.tells_changes


@pytest.mark.parametrize("case", [one for one in CASES if providers.PROVIDERS[one[0]].tells_changes], ids=_id)
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


@listed
def test_an_entry_holds_no_value(provider, access, found):
    name = found.names[0]
    entry = trials.connect(access).page(prefix=name).entries[0]

    assert entry.name == name
    assert entry.reference
    assert found.value(name) not in repr(entry)


def test_names_that_cannot_be_listed_are_typed_and_it_says_why(provider, access):
    if not provider.unlisted:
        assert trials.try_access(access).listed
        return

    with pytest.raises(providers.NotPossibleHere) as refusal:
        trials.connect(access).page()

    assert provider.unlisted in refusal.value.reason
    assert trials.try_access(access).usable


def _refused(slug: str, found: World, **fields: Any) -> Any:
    """Return a test's result with another credential or configuration: what cannot list is tried otherwise."""
    return trials.try_access(make_access(slug, found, **fields))


@listed
def test_a_wrong_credential_is_refused(slug, provider, found):
    wrong = {"configuration": found.wrong_configuration} if found.wrong_configuration else {}
    with pytest.raises(providers.CredentialRefused) as refusal:
        trials.connect(make_access(slug, found, found.wrong, **wrong)).page()

    assert refusal.value.remedy


@listed
def test_no_credential_is_refused_as_well(slug, provider, found):
    """What the console's own surroundings hold must never step in."""
    if not found.good:
        assert not provider.method(found.method).form.secret_names()
        return
    for credential in ({}, dict.fromkeys(found.good, "")):
        with pytest.raises(providers.CredentialRefused):
            trials.connect(make_access(slug, found, credential)).page()


@listed
def test_a_missing_permission_is_named_with_what_to_add(slug, provider, found):
    if found.limited is None:
        assert not found.permission, "a vendor without permissions has none to name"
        return
    limited = {"configuration": found.limited_configuration} if found.limited_configuration else {}
    with pytest.raises(providers.PermissionMissing) as refusal:
        trials.connect(make_access(slug, found, found.limited, **limited)).page()

    assert refusal.value.permission == found.permission
    assert found.permission in refusal.value.remedy
    assert found.permission in refusal.value.policy


@listed
def test_nobody_there_is_not_reachable(provider, access, found, monkeypatch):
    found.nowhere(monkeypatch)
    access.refresh_from_db()

    with pytest.raises(providers.NotReachable) as refusal:
        trials.connect(access).page()

    assert refusal.value.retryable


@listed
def test_a_manager_that_asks_to_slow_down_is_heard(provider, access, found):
    if found.slow is None:
        assert provider.cloud in ("aws", "gcp") or provider.slug == "built-in", (
            "their own tests throttle them"
        )
        return
    found.slow()

    with pytest.raises(providers.Throttled) as refusal:
        trials.connect(access).page()

    assert refusal.value.retryable


@listed
def test_what_was_signed_in_with_ends(provider, access, found):
    if found.over is None:
        return
    manager = trials.connect(access)
    manager.page()
    found.over()

    with pytest.raises(providers.CredentialRefused):
        manager.page()


@pytest.mark.parametrize("kind", ["good", "wrong", "limited"])
def test_nothing_tells_the_credential(slug, found, kind, caplog):
    credential = getattr(found, kind) or {}
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
    if secret is None:
        assert not access.credential
        return

    selectors = list(_selectors(manifests.store(access)["spec"]["provider"]))

    assert selectors
    assert {one["namespace"] for one in selectors} == {"platform"} == {secret["metadata"]["namespace"]}
    assert {one["name"] for one in selectors} == {secret["metadata"]["name"]}
    assert {one["key"] for one in selectors} <= set(secret["data"])


def _selectors(node: Any) -> Any:
    if isinstance(node, dict):
        if {"name", "key"} <= set(node):
            yield node
        node = list(node.values())
    for value in node if isinstance(node, list) else ():
        yield from _selectors(value)
