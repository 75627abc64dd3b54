"""Every provider that can be written to keeps the same contract, over the network; what was written its owner reads."""

import contextlib
import logging
from typing import Any

import pytest

from accesses import providers, trials
from tests.accesses import worlds
from tests.accesses.worlds import Sandbox, World, make_access

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

CASES = [case for case in worlds.cases() if providers.PROVIDERS[case[0]].writing]
CANARY = "canary-9f2b71-value"


@pytest.fixture(params=CASES, ids="-by-".join)
def case(request):
    return request.param


@pytest.fixture
def writing(case) -> Any:
    return providers.PROVIDERS[case[0]].writing


@pytest.fixture
def found(case, request) -> World:
    return worlds.of(*case, Sandbox(request))


@pytest.fixture
def manager(case, found) -> Any:
    """The manager as somebody who may write."""
    assert found.writer is not None, "say in its world who may write"
    own = found.writer_configuration or found.configuration
    return trials.connect(make_access(case[0], found, found.writer, configuration=own))


@pytest.fixture
def name(found, manager, request) -> Any:
    """A name for this test; what it made of it is gone afterwards."""
    # Names of letters, digits and hyphens are names nearly everywhere.
    made = found.namespace + found.spell(f"keyhaven-{abs(hash(request.node.nodeid)) % 10**9}")
    yield made
    with contextlib.suppress(Exception if found.forget else providers.ProviderError):
        (found.forget or manager.delete)(made)


@pytest.fixture
def names(manager, found) -> Any:
    """Return a function that lists the names that are there now, and are not scheduled for deletion."""

    def listed() -> set[str]:
        entries, cursor, more = [], "", True
        while more:
            page = manager.page(found.namespace, cursor)
            entries += page.entries
            cursor, more = page.cursor, bool(page.cursor)
        return {entry.name for entry in entries if entry.deletes_at is None}

    return listed


def test_the_client_says_that_it_writes(manager, writing):
    assert isinstance(manager, providers.Writes)
    assert writing.policy
    assert writing.most_bytes > 0


def test_a_secret_is_made_with_its_tags_and_read_by_its_owner(manager, found, name, writing):
    tags = {"team": "shop"} if writing.tags else {}

    reference = manager.create(name, "first", tags)

    entry = next(one for one in manager.page(name).entries if one.name == name)
    assert found.value(name) == "first"
    assert entry.reference == reference
    assert not writing.lists_tags or tags.items() <= entry.tags.items()


def test_a_new_version_replaces_the_value_and_keeps_the_tags(manager, found, name, writing):
    manager.create(name, "first", {"team": "shop"} if writing.tags else {})

    manager.put(name, "second")

    entry = next(one for one in manager.page(name).entries if one.name == name)
    assert found.value(name) == "second"
    assert not (writing.tags and writing.lists_tags) or entry.tags.get("team") == "shop"


@pytest.mark.parametrize(
    "value", ['{"user": "shop", "password": "p"}', "two\nlines\n", "ü € 🔑", " spaces ", "0"]
)
def test_a_value_arrives_as_it_was_typed(manager, found, name, value):
    manager.create(name, value, {})

    assert found.value(name) == value


def test_one_that_is_there_is_not_made_again(manager, found, name):
    manager.create(name, "first", {})

    with pytest.raises(providers.AlreadyThere):
        manager.create(name, "second", {})

    assert found.value(name) == "first"


def test_one_that_is_not_there_gets_no_version_and_is_not_deleted(manager, name, names):
    with pytest.raises(providers.NotThere):
        manager.put(name, "first")
    with pytest.raises(providers.NotThere):
        manager.delete(name)

    assert name not in names()


def test_tags_are_added_to_those_that_are_there(manager, name, writing):
    if not writing.tags:
        return
    manager.create(name, "first", {"team": "shop"})

    manager.tag(name, {"stage": "prod"})

    entry = next(one for one in manager.page(name).entries if one.name == name)
    assert not writing.lists_tags or {"team": "shop", "stage": "prod"}.items() <= entry.tags.items()


def test_a_deleted_one_is_not_listed_any_more_and_comes_back_as_it_was(manager, found, name, names, writing):
    manager.create(name, "first", {})

    manager.delete(name)
    gone = name not in names()

    assert gone
    if writing.restores:
        manager.restore(name)
        assert name in names()
        assert found.value(name) == "first"


def test_who_may_only_read_writes_nothing_and_is_told_what_is_missing(case, found, name, manager, names):
    reader = trials.connect(make_access(case[0], found, found.good))
    if found.good == found.writer and not found.writer_configuration:
        return

    with pytest.raises(providers.PermissionMissing) as refusal:
        reader.create(name, CANARY, {})

    assert refusal.value.permission
    assert name not in names()


def test_nothing_tells_a_value(manager, found, name, caplog, monkeypatch):
    said = []
    with caplog.at_level(logging.DEBUG):
        manager.create(name, CANARY, {})
        manager.put(name, f"{CANARY}-2")
        for wrong in (lambda: manager.create(name, CANARY, {}), lambda: manager.put(f"{name}-not", CANARY)):
            with pytest.raises(providers.ProviderError) as refusal:
                wrong()
            said.append(repr(refusal.value) + refusal.value.reason + refusal.value.remedy)
        said += [repr(entry) for entry in manager.page(name).entries]

    assert CANARY not in caplog.text + "".join(said) + repr(manager)
