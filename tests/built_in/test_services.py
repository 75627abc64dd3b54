"""The built-in store: what is kept is bound to its place, versions have numbers without races, deleted ones end."""

import datetime
import logging
import threading

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from accounts.encryption import Unreadable, rotating
from accounts.models import AuditEvent
from built_in import names, purging, services
from built_in.models import StoredSecret, StoredVersion
from credentials.clouds import errors
from tests import factories

pytestmark = pytest.mark.django_db
CANARY = "canary-5d1c-value"


def make(organization, name="prod/db", value="first", **fields):
    return services.create(
        organization=organization, name=name, value=value, tags=fields.pop("tags", {}), **fields
    )


def read(organization, name="prod/db", number=None):
    return services.read(organization=organization, name=name, number=number).value


def test_each_version_is_read_by_its_number_and_the_newest_without(organization):
    make(organization)
    services.put(organization=organization, name="prod/db", value="second")

    assert read(organization) == "second"
    assert read(organization, number=1) == "first"
    with pytest.raises(errors.NotValid, match="no version 3"):
        read(organization, number=3)


def test_a_value_is_encrypted_in_its_column(organization):
    make(organization, value=CANARY)

    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM built_in_storedversion t")
        rows = str(cursor.fetchall())

    assert CANARY not in rows
    assert CANARY not in repr(services.read(organization=organization, name="prod/db"))


def test_a_value_that_was_moved_to_another_name_organization_or_number_is_unreadable(organization):
    one, other = make(organization), make(organization, "prod/other", "other")
    services.put(organization=organization, name="prod/db", value="second")
    elsewhere = factories.make_organization()

    StoredSecret.objects.filter(pk=other.pk).update(name="prod/moved")
    with pytest.raises(Unreadable):
        read(organization, "prod/moved")
    StoredVersion.objects.filter(secret=one, number=1).update(number=7)
    with pytest.raises(Unreadable):
        read(organization, number=7)
    StoredSecret.objects.filter(pk=one.pk).update(organization=elsewhere)
    with pytest.raises(Unreadable):
        read(elsewhere, number=2)


def test_another_organization_reads_nothing(organization):
    make(organization)

    with pytest.raises(errors.NotThere):
        read(factories.make_organization())


@pytest.mark.parametrize("name", ["", " x", "/x", "a b", "ü", "x" * 201, "a\x00b", "a\n", "a?b", "a#b"])
def test_what_is_no_name_is_refused(organization, name):
    with pytest.raises(errors.NotValid):
        make(organization, name)


def test_the_largest_value_is_kept_and_a_larger_one_refused(organization):
    largest = "ü" * (names.MOST_BYTES // 2)
    make(organization, value=largest)

    assert read(organization) == largest
    with pytest.raises(errors.NotValid):
        services.put(organization=organization, name="prod/db", value=largest + "x")


def test_old_versions_go_once_there_are_too_many(organization, monkeypatch):
    monkeypatch.setattr(names, "MOST_VERSIONS", 3)
    make(organization)
    for number in range(2, 6):
        services.put(organization=organization, name="prod/db", value=str(number))

    assert list(StoredVersion.objects.values_list("number", flat=True)) == [5, 4, 3]


def test_an_organization_keeps_only_so_many(organization, monkeypatch):
    monkeypatch.setattr(names, "MOST_SECRETS", 1)
    make(organization)

    with pytest.raises(errors.LimitReached):
        make(organization, "prod/other")


def test_a_deleted_one_is_not_read_nor_made_again_and_comes_back_with_its_versions(organization, settings):
    make(organization)
    services.put(organization=organization, name="prod/db", value="second")

    until = services.delete(organization=organization, name="prod/db")
    for act in (read, lambda org: services.put(organization=org, name="prod/db", value="x")):
        with pytest.raises(errors.NotThere):
            act(organization)
    with pytest.raises(errors.AlreadyThere, match="still kept"):
        make(organization)
    services.restore(organization=organization, name="prod/db")

    assert (until - timezone.now()).days == settings.BUILT_IN_DELETED_DAYS - 1
    assert (read(organization), read(organization, number=1)) == ("second", "first")


def test_what_was_deleted_long_ago_is_erased_with_its_versions(organization, settings):
    cache.delete("built-in-purge")
    old, young = make(organization), make(organization, "prod/young")
    for name in ("prod/db", "prod/young"):
        services.delete(organization=organization, name=name)
    days = datetime.timedelta(days=settings.BUILT_IN_DELETED_DAYS, minutes=1)
    StoredSecret.objects.filter(pk=old.pk).update(deleted_at=timezone.now() - days)

    erased, again = purging.sweep(), purging.sweep()

    assert (erased, again) == (1, 0)
    assert list(StoredSecret.objects.values_list("pk", flat=True)) == [young.pk]
    assert not StoredVersion.objects.filter(secret=old.pk).exists()
    event = AuditEvent.objects.get(action="built_in_store.purged")
    assert (event.target_name, event.details) == ("prod/db", {"secret": "prod/db", "versions": 1})


def test_a_new_encryption_key_covers_the_store(organization, settings, monkeypatch):
    from cryptography.fernet import Fernet, MultiFernet
    from encrypted_model_fields import fields as package

    make(organization, value=CANARY)
    before = settings.FIELD_ENCRYPTION_KEY
    settings.FIELD_ENCRYPTION_KEY = [Fernet.generate_key().decode(), *before]

    report = rotating.run(write=True)
    settings.FIELD_ENCRYPTION_KEY = settings.FIELD_ENCRYPTION_KEY[:1]
    # The package reads the keys when it is imported, as a console does that starts with the new one alone.
    monkeypatch.setattr(package, "CRYPTER", MultiFernet([Fernet(settings.FIELD_ENCRYPTION_KEY[0])]))

    assert report.found["built_in.StoredVersion.value"].total() == 1
    assert read(organization) == CANARY


@pytest.mark.django_db(transaction=True)
def test_two_who_write_at_once_make_two_versions(organization):
    make(organization)
    go, failed = threading.Barrier(6), []

    def write(text):
        try:
            go.wait()
            services.put(organization=organization, name="prod/db", value=text)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(f"v{number}",)) for number in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert failed == []
    kept = {row.number: row.value for row in StoredVersion.objects.select_related("secret")}
    assert sorted(kept) == [1, 2, 3, 4, 5, 6, 7]
    assert set(kept.values()) == {"first", *(f"v{number}" for number in range(6))}


@pytest.mark.django_db(transaction=True)
def test_two_who_make_the_same_make_one(organization):
    go, results = threading.Barrier(4), []

    def write(text):
        try:
            go.wait()
            make(organization, value=text)
            results.append(text)
        except errors.AlreadyThere:
            results.append("")
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(f"v{number}",)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert sorted(results)[:3] == ["", "", ""]
    assert read(organization) == max(results)


def test_nothing_tells_a_value(organization, caplog):
    with caplog.at_level(logging.DEBUG):
        secret = make(organization, value=CANARY)
        services.put(organization=organization, name="prod/db", value=f"{CANARY}-2")
        with pytest.raises(errors.AlreadyThere) as refusal:
            make(organization, value=CANARY)

    said = caplog.text + repr(secret) + repr(refusal.value) + refusal.value.reason
    said += "".join(map(repr, StoredVersion.objects.select_related("secret")))
    assert CANARY not in said
