"""What is particular to Elasticsearch: encrypted documents, optimistic writing, and what its refusals mean."""

import datetime
import logging
from typing import Any

import pytest
from django.utils import timezone

from accesses import manifests, providers, trials
from accesses.gateway import sources
from accesses.providers.elasticsearch import documents, wire
from accesses.providers.elasticsearch import record as elasticsearch
from accesses.providers.gateway import tokens as gateway_tokens
from accounts.encryption import Unreadable
from credentials.clouds import errors
from tests import factories
from tests.accesses import worlds
from tests.accesses.worlds import Sandbox, make_access
from tests.accesses.worlds import elasticsearch as world

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]
CANARY = "canary-63ad-value"


@pytest.fixture
def vendor(vendors) -> Any:
    return vendors["elasticsearch"]


@pytest.fixture
def found(request, vendor):
    return worlds.of("elasticsearch", "api-key", Sandbox(request))


@pytest.fixture
def access(found):
    return make_access("elasticsearch", found, found.writer)


@pytest.fixture
def manager(access) -> Any:
    return trials.connect(access)


def stored(vendor, access, name) -> Any:
    return vendor.plant("documents").get(documents.id_of(str(access.cluster.organization_id), name))


def test_elasticsearch_sees_no_value(vendor, access, manager):
    manager.create("prod/canary", CANARY, {"team": "shop"})
    manager.put("prod/canary", f"{CANARY}-2")

    document = stored(vendor, access, "prod/canary")

    assert CANARY not in str(vendor.plant("documents"))
    assert (document["name"], document["tags"], document["number"]) == ("prod/canary", {"team": "shop"}, 2)
    assert [sources.read(access, "prod/canary", number).value for number in (None, 1)] == [
        f"{CANARY}-2",
        CANARY,
    ]


def test_the_first_secret_makes_the_index_with_its_mapping(vendor, manager):
    vendor.plant("reset")
    before = manager.page().entries

    manager.create("prod/first", "x", {})

    # An index that made its mapping itself would not be sorted by name.
    assert before == []
    assert [entry.name for entry in manager.page().entries] == ["prod/first"]


def test_a_document_in_anothers_place_is_refused(vendor, access, manager):
    owner = str(access.cluster.organization_id)
    for name in ("prod/one", "prod/other"):
        manager.create(name, name, {})
    one, other = (stored(vendor, access, name) for name in ("prod/one", "prod/other"))
    place = documents.id_of(owner, "prod/one")
    forged = (
        other,
        one | {"versions": other["versions"]},
        one | {"number": 7, "versions": [one["versions"][0] | {"number": 7}]},
        one | {"versions": [{"number": 1, "sealed": "plain", "at": ""}]},
        {"name": "prod/one"},
    )

    for document in forged:
        vendor.plant("index", **documents.MAPPING, documents={place: document})
        with pytest.raises(Unreadable):
            sources.read(access, "prod/one", None)


def test_another_organization_of_the_same_index_sees_and_reads_nothing(found, access, manager):
    manager.create("prod/mine", "x", {})
    stranger = factories.make_access(
        provider="elasticsearch", method="api-key", configuration=found.configuration, credential=found.writer
    )

    assert trials.connect(stranger).page().entries == []
    with pytest.raises(errors.NotThere):
        sources.read(stranger, "prod/mine", None)


def test_of_two_who_write_at_once_one_is_told(vendor, access, manager):
    manager.create("prod/race", "first", {})
    index = manager.index

    def slow(document):
        trials.connect(access).put("prod/race", "faster")
        return documents.with_value(document, "slower")

    with pytest.raises(errors.Raced):
        index.change("prod/race", slow)

    assert sources.read(access, "prod/race", None).value == "faster"


def test_the_newest_versions_are_kept(vendor, access, manager):
    manager.create("prod/many", "1", {})
    for number in range(2, documents.MOST_VERSIONS + 3):
        manager.put("prod/many", str(number))

    assert len(stored(vendor, access, "prod/many")["versions"]) == documents.MOST_VERSIONS
    assert sources.read(access, "prod/many", 3).value == "3"
    with pytest.raises(errors.NotValid):
        sources.read(access, "prod/many", 2)


def test_what_was_deleted_long_ago_goes_with_the_next_deletion(vendor, access, manager, settings):
    for name in ("prod/old", "prod/young", "prod/now"):
        manager.create(name, "x", {})
    manager.delete("prod/young")
    old = stored(vendor, access, "prod/old")
    at = timezone.now() - datetime.timedelta(days=settings.BUILT_IN_DELETED_DAYS + 1)
    place = documents.id_of(old["owner"], "prod/old")
    vendor.plant("index", **documents.MAPPING, documents={place: old | {"deleted_at": at.isoformat()}})

    manager.delete("prod/now")

    assert stored(vendor, access, "prod/old") is None
    assert stored(vendor, access, "prod/young")["deleted_at"]
    with pytest.raises(errors.NotThere):
        sources.read(access, "prod/young", None)


def test_an_index_that_is_gone_is_no_deleted_secret(vendor, access):
    """The gateway answers 404 only for what somebody deleted."""
    vendor.plant("reset")

    with pytest.raises(errors.NotValid):
        sources.read(access, "prod/db-password", None)


@pytest.mark.parametrize("refusal", wire.REFUSALS, ids=lambda one: f"{one.status}-{one.code}")
def test_each_refusal_is_told_in_our_words(vendor, manager, refusal):
    body = {
        "error": {"type": refusal.code or "x", "reason": CANARY, "root_cause": []},
        "status": refusal.status,
    }
    vendor.plant("faults", status=refusal.status, body=body)

    with pytest.raises(refusal.error) as caught:
        manager.index._ask("POST", "/keyhaven-secrets/_search", "read", {})

    assert caught.value.reason == refusal.reason.replace("{permission}", "read")
    assert CANARY not in caught.value.reason + caught.value.remedy


@pytest.mark.parametrize(
    "fault",
    [
        {"html": True}, {"status": 200, "body": {}}, {"status": 200, "body": []}, {"status": 200, "body": {"hits": {"hits": [{}]}}},
        {"status": 302, "location": "http://127.0.0.1:9/"}, {"status": 404, "body": {"error": "x"}}, {"status": 500},
        {"status": 200, "body": {"hits": {"hits": [{"_source": {"name": "x", "changed_at": "never", "tags": 1}}]}}},
    ],
)  # fmt: skip
def test_hostile_answers_are_errors_of_ours(vendor, manager, fault):
    vendor.plant("faults", **fault)

    with pytest.raises(providers.ProviderError):
        manager.page()


def test_it_says_who_it_is_and_what_it_may(found, access):
    reader = trials.connect(make_access("elasticsearch", found, found.good))
    nobody = trials.connect(make_access("elasticsearch", found, found.limited))

    assert reader.whoami() == "API key keyhaven-reader-key"
    assert {one.action: one.ok for one in reader.probe([])}["read"] is True
    assert {one.action: one.ok for one in nobody.probe([])}["read"] is False


def test_the_cluster_gets_the_token_and_nothing_of_elasticsearch(found, access):
    secret, store = manifests.secret(access), manifests.store(access)

    assert list(secret["data"]) == ["token"]
    assert secret["metadata"]["labels"]["external-secrets.io/type"] == "webhook"
    assert found.configuration["address"] not in str(store)
    assert access.credential["api_key"] not in str([secret, store])


GOOD = {
    "address": "https://127.0.0.1:9200", "index": "keyhaven-secrets", "ca": "", "user": "shop", "password": "p" * 12,
}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"index": "Upper"}, "index"), ({"index": "_all"}, "index"), ({"index": "a/b"}, "index"), ({"index": "*"}, "index"),
        ({"address": "elasticsearch"}, "address"), ({"address": "https://169.254.169.254"}, "address"),
        ({"user": "a:b"}, "user"), ({"password": ""}, "password"), ({"token": "mine"}, "token"),
        ({"gateway_address": "http://console.example"}, "gateway_address"), ({"gateway_ca": "x"}, "gateway_ca"),
    ],
)  # fmt: skip
def test_a_form_says_what_is_wrong_beside_the_field(fields, about):
    form = elasticsearch.PasswordForm(GOOD | fields)

    assert not form.is_valid()
    assert list(form.errors) == [about]


def test_a_token_is_made_kept_and_made_anew():
    first = elasticsearch.PasswordForm(GOOD)
    kept = elasticsearch.PasswordForm(GOOD | {"password": ""}, stored={"password", "token"})
    new = elasticsearch.PasswordForm(GOOD | {"token": "on"}, stored={"password", "token"})
    assert first.is_valid()
    assert kept.is_valid()
    assert new.is_valid()

    made = first.credential(None)

    assert gateway_tokens.is_token(made["token"])
    assert kept.credential(made) == made
    assert new.credential(made)["token"] not in ("", made["token"])
    assert gateway_tokens.is_token(new.credential(made)["token"])


def test_nothing_tells_what_is_signed_in_with_or_written(found, access, manager, caplog):
    with caplog.at_level(logging.DEBUG):
        manager.create("prod/quiet", CANARY, {})
        read = sources.read(access, "prod/quiet", None)

    said = caplog.text + repr(read) + repr(manager) + repr(access)
    for secret in (CANARY, *access.credential.values()):
        assert secret not in said


def test_the_world_is_of_one_index(vendor):
    assert vendor["index"] == elasticsearch.INDEX == world.configuration(vendor, "api-key")["index"]


@pytest.fixture
def new_key(settings, monkeypatch):
    """Put a new encryption key before the one that is there, and return both names."""
    from cryptography.fernet import Fernet, MultiFernet
    from encrypted_model_fields import fields as package

    from accounts.encryption import keys

    before = settings.FIELD_ENCRYPTION_KEY
    settings.FIELD_ENCRYPTION_KEY = [Fernet.generate_key().decode(), *before]
    monkeypatch.setattr(
        package, "CRYPTER", MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEY])
    )
    keys._told.clear()
    yield keys.newest(), keys.name(before[0])
    keys._told.clear()


def test_a_new_encryption_key_covers_the_documents(vendor, access, manager, new_key, settings):
    from accounts.encryption import rotating

    manager.create("prod/kept", CANARY, {})
    manager.put("prod/kept", f"{CANARY}-2")
    manager.delete("prod/kept")
    newest, old = new_key
    label = f"Elasticsearch of {access.cluster}/{access}"

    before = rotating.run(write=False).found[label]
    report = rotating.run(write=True)
    after = rotating.run(write=False).found[label]

    # The world's documents were written before.
    assert (before[newest], before[old] >= 230) == (2, True)
    assert report.unreached == report.unreadable == []
    assert (after[newest], after[old]) == (before.total(), 0)
    settings.FIELD_ENCRYPTION_KEY = settings.FIELD_ENCRYPTION_KEY[:1]
    manager.restore("prod/kept")
    assert sources.read(access, "prod/kept", 1).value == CANARY
    assert sources.read(access, "prod/db-password", None).value == "value of prod/db-password"


@pytest.mark.parametrize("how", ["no answer", "may only read"])
def test_no_key_is_dropped_while_documents_cannot_be_seen_to(
    how, found, access, vendor, new_key, monkeypatch
):
    from accounts.encryption import keys, rotating
    from accounts.models import EncryptionKey

    _, old = new_key
    access.credential = found.good
    access.save()
    EncryptionKey.objects.get_or_create(pk=old)
    monkeypatch.setattr(keys, "TRUSTED", 0.0)
    if how == "no answer":
        vendor.plant("faults", status=503)
    report = rotating.run(write=True)

    assert report.unreached == [f"Elasticsearch of {access.cluster}/{access}"]
    with pytest.raises(rotating.StillNeeded):
        rotating.drop(old)
