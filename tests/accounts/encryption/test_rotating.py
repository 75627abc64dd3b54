"""Every stored value written anew with another key, while the console goes on."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings as live
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from encrypted_model_fields import fields as package

from accounts.encryption import columns, keys, rotating
from accounts.models import EncryptionKey
from clusters.models import Cluster
from credentials.models import CloudCredential
from tests import factories

OLD = live.FIELD_ENCRYPTION_KEY[0]
NEW = "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="
MANY = 10_000
# Enough to be in the middle of it.
SOME = 8_000


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No test trusts what another was told."""
    keys._told.clear()
    yield
    keys._told.clear()


@pytest.fixture
def given(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the console these keys, the newest first, as a restart would."""

    def give(*names: str) -> None:
        settings.FIELD_ENCRYPTION_KEY = list(names)
        monkeypatch.setattr(package, "CRYPTER", MultiFernet([Fernet(name) for name in names]))
        keys._told.clear()

    return give


def command(*words: str, given: tuple[str, ...] = (NEW, OLD)) -> subprocess.Popen[str]:
    """Start the command in a process of its own, on the test's database."""
    used = connection.settings_dict
    url = f"postgresql://{used['USER']}:@/{used['NAME']}?host={used['HOST']}"
    environment = os.environ | {"DATABASE_URL": url, "FIELD_ENCRYPTION_KEY": ",".join(given)}
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
    return subprocess.Popen(
        [sys.executable, *words], cwd=Path(__file__).parents[3], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def rotate(*words: str, **given: Any) -> subprocess.Popen[str]:
    return command("manage.py", "rotate_encryption_keys", *words, **given)


def make_many(organization: Any, count: int) -> list[CloudCredential]:
    rows = [
        factories.make_cloud_credential(organization=organization, name="seed"),
        *(
            CloudCredential(
                organization=organization, name=f"many-{number:05d}", cloud="aws", method="static",
                facts={"account": "123456789012"}, set_at="2026-01-01T00:00Z", set_by="x", created_by="x",
                secret={"access_key_id": f"AKIA{number:016d}", "secret_access_key": f"value-{number}"},
            )
            for number in range(count - 1)
        ),
    ]  # fmt: skip
    CloudCredential.objects.bulk_create(rows[1:])
    return rows[1:]


def under(key: str) -> int:
    """Return how many texts in the database are under a key."""
    return sum(rotating.run(write=False).under(keys.name(key)).values())


def begun() -> bool:
    """Tell whether the first credential is under the new key; that is looked at in no time."""
    column = next(one for one in columns.every() if one.table == "credentials_cloudcredential")
    ((_, stored),) = column.after(None, 1)
    return rotating._key_of(stored) == keys.name(NEW)


class Traffic:
    """A console that reads credentials, and now and then replaces one, until it is told to stop."""

    def __init__(self, rows: list[CloudCredential]) -> None:
        self.rows, self.reads, self.written, self.failed = rows, 0, {}, []  # type: ignore[var-annotated]
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._go)

    def _go(self) -> None:
        chance = random.Random(7)
        while not self.ended.is_set():
            row = chance.choice(self.rows)
            try:
                read = CloudCredential.objects.get(pk=row.pk)
                assert read.secret["access_key_id"] == row.secret["access_key_id"]
                self.reads += 1
                if self.reads % 5 == 0:
                    read.secret = read.secret | {"secret_access_key": f"changed-{self.reads}"}
                    read.save(update_fields=["secret"])
                    self.written[row.pk] = f"changed-{self.reads}"
            except Exception as error:
                self.failed.append(error)
        connections.close_all()

    def __enter__(self) -> "Traffic":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()


@pytest.mark.django_db(transaction=True)
class TestWhileTheConsoleRuns:
    def test_ten_thousand_credentials_with_no_failed_read_and_the_old_key_can_go(self, organization, given):
        rows = make_many(organization, MANY)
        given(NEW, OLD)

        with Traffic(rows) as traffic:
            process = rotate()
            said = process.communicate(timeout=180)[0]
        left = under(OLD)
        dropped = rotate("--drop", keys.name(OLD)).communicate(timeout=60)[0]

        assert process.returncode == 0, said
        assert (traffic.failed, left) == ([], 0)
        assert traffic.reads > 100
        assert "is not needed any more" in dropped
        given(NEW)
        for pk, value in traffic.written.items():
            assert CloudCredential.objects.get(pk=pk).secret["secret_access_key"] == value

    def test_killed_in_the_middle_it_goes_on_where_it_was(self, organization, given):
        make_many(organization, SOME)
        given(NEW, OLD)
        before = under(OLD)

        process = rotate()
        until = time.monotonic() + 60
        while not begun() and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        middle = under(OLD)
        said = rotate().communicate(timeout=180)[0]

        assert 0 < middle < before
        assert f"Written anew: {middle}" in said
        assert under(OLD) == 0

    def test_asked_to_stop_it_ends_after_its_batch_and_says_so(self, organization, given):
        make_many(organization, SOME)
        given(NEW, OLD)
        before = under(OLD)

        process = rotate()
        until = time.monotonic() + 60
        while not begun() and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[0]

        assert process.returncode == 130, said
        assert "start it again to go on" in said
        assert under(OLD) + under(NEW) == before


@pytest.mark.django_db
class TestEveryColumn:
    def test_values_of_every_kind_are_written_anew(self, organization, given):
        cluster = factories.make_cluster(organization=organization, kubeconfig="kept")
        given(NEW, OLD)

        report = rotating.run(write=True)
        given(NEW)

        assert Cluster.objects.get(pk=cluster.pk).kubeconfig == "kept"
        assert (report.written, report.unreadable) == (1, [])

    def test_no_encrypted_column_is_left_out(self):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            )
            there = set(cursor.fetchall())

        known = {(column.table, column.name) for column in columns.every()}

        assert known <= there
        assert {
            ("clusters_cluster", "kubeconfig"), ("clusters_connectdraft", "kubeconfig"), ("clusters_rotation", "old_secret"),
            ("credentials_cloudcredential", "secret"), ("credentials_signingkey", "private"),
            ("accesses_access", "credential"), ("accesses_accessdraft", "credential"), ("mfa_authenticator", "data"),
            ("accounts_destination", "secret"), ("accounts_destination", "address"), ("accounts_identityprovider", "client_secret"),
            ("built_in_storedversion", "value"),
        } <= known  # fmt: skip

    def test_what_no_key_opens_is_named_and_the_rest_is_done(self, organization, given):
        lost = factories.make_cloud_credential(organization=organization, name="lost")
        factories.make_cloud_credential(organization=organization, name="kept")
        with connection.cursor() as cursor:
            other = Fernet(Fernet.generate_key()).encrypt(b"something").decode()
            cursor.execute(
                "UPDATE credentials_cloudcredential SET secret = %s WHERE id = %s", [other, lost.pk]
            )
        given(NEW, OLD)

        with pytest.raises(CommandError, match=f"CloudCredential.secret of {lost.pk}"):
            call_command("rotate_encryption_keys")

        assert CloudCredential.objects.get(name="kept").secret
        assert under(NEW) == 1

    def test_a_row_that_was_changed_meanwhile_keeps_its_value(self, organization, given):
        credential = factories.make_cloud_credential(organization=organization)
        given(NEW, OLD)
        column = next(one for one in columns.every() if one.table == "credentials_cloudcredential")
        ((pk, stored),) = column.after(None, 10)
        credential.secret = {"access_key_id": "changed"}
        credential.save()

        column.replace([(keys.every().rotate(stored.encode()).decode(), pk, stored)])

        assert CloudCredential.objects.get(pk=pk).secret == {"access_key_id": "changed"}


@pytest.mark.django_db
class TestDrop:
    def test_a_key_that_is_still_needed_is_refused_and_stays(self, organization, given):
        factories.make_cluster(organization=organization)
        given(NEW, OLD)
        keys.may_write()

        with pytest.raises(CommandError, match=r"still needed: 1 of clusters\.Cluster\.kubeconfig"):
            call_command("rotate_encryption_keys", drop=keys.name(OLD))

        assert EncryptionKey.objects.get(pk=keys.name(OLD)).retired_at is None

    def test_also_where_it_was_taken_out_already(self, organization, given):
        factories.make_cluster(organization=organization)
        given(NEW)

        with pytest.raises(CommandError, match="under no key that was given"):
            call_command("rotate_encryption_keys", drop=keys.name(OLD))

    @pytest.mark.parametrize(
        ("name", "said"), [(keys.name(NEW), "is the newest"), ("deadbeef", "There is no key deadbeef")]
    )
    def test_the_newest_and_an_unknown_one_are_refused(self, given, name, said):
        given(NEW, OLD)

        with pytest.raises(CommandError, match=said):
            call_command("rotate_encryption_keys", drop=name)

    def test_a_process_that_still_writes_with_a_dropped_key_is_stopped(self, organization, given):
        credential = factories.make_cloud_credential(organization=organization)
        given(NEW, OLD)
        rotating.run(write=True)
        rotating.drop(keys.name(OLD))
        given(OLD, NEW)  # a process from before the change

        credential.secret = {"access_key_id": "would be lost"}
        with pytest.raises(keys.KeyRetired, match=keys.name(OLD)), transaction.atomic():
            credential.save()

        given(NEW)
        assert CloudCredential.objects.get(pk=credential.pk).secret != {"access_key_id": "would be lost"}

    def test_check_only_counts(self, organization, given, capsys):
        factories.make_cluster(organization=organization)
        given(NEW, OLD)

        call_command("rotate_encryption_keys", check=True)

        said = capsys.readouterr().out
        assert f"Key {keys.name(NEW)} (newest): 0 values" in said
        assert f"Key {keys.name(OLD)} (old): 1 values" in said
        assert under(OLD) == 1


@pytest.mark.django_db(transaction=True)
class TestStart:
    """Item 31: without a key that is needed nothing starts, and it says which."""

    START = "import config.wsgi"

    def test_a_console_without_a_needed_key_does_not_start_and_names_it(self, organization):
        factories.make_cluster(organization=organization)

        process = command("-c", self.START, given=(NEW,))
        said = process.communicate(timeout=60)[0]

        assert process.returncode != 0
        assert f"lacks the key {keys.name(OLD)}" in said
        assert OLD not in said
        assert NEW not in said

    def test_a_worker_without_it_does_not_start_either(self, organization):
        factories.make_cluster(organization=organization)

        process = command("-m", "celery", "-A", "config", "worker", "-c", "1", given=(NEW,))
        said = process.communicate(timeout=60)[0]

        assert process.returncode != 0
        assert f"lacks the key {keys.name(OLD)}" in said

    def test_with_both_it_starts_and_notes_the_new_one(self, organization):
        factories.make_cluster(organization=organization)

        process = command("-c", self.START)
        said = process.communicate(timeout=60)[0]

        assert process.returncode == 0, said
        assert set(EncryptionKey.objects.values_list("pk", flat=True)) == {keys.name(OLD), keys.name(NEW)}

    def test_a_wrong_key_shows_also_where_nobody_has_noted_keys_yet(self, organization):
        factories.make_cluster(organization=organization)
        EncryptionKey.objects.all().delete()

        process = command("-c", self.START, given=(NEW,))
        said = process.communicate(timeout=60)[0]

        assert process.returncode != 0
        assert "clusters.Cluster.kubeconfig cannot be read" in said
        assert not EncryptionKey.objects.exists()

    def test_once_dropped_the_old_key_is_not_asked_for_any_more(self, organization, given):
        factories.make_cluster(organization=organization)
        given(NEW, OLD)
        rotating.run(write=True)
        rotating.drop(keys.name(OLD))

        process = command("-c", self.START, given=(NEW,))
        said = process.communicate(timeout=60)[0]

        assert process.returncode == 0, said
        again = command("-c", self.START, given=(OLD, NEW))
        assert "was dropped" in again.communicate(timeout=60)[0]
        assert again.returncode != 0

    def test_no_key_at_all_is_said(self):
        process = command("-c", self.START, given=("",))

        assert "FIELD_ENCRYPTION_KEY" in process.communicate(timeout=60)[0]
        assert process.returncode != 0


@pytest.mark.django_db(transaction=True)
def test_a_key_is_not_dropped_under_a_value_that_nobody_sees_yet(organization, given, monkeypatch):
    monkeypatch.setattr(rotating, "PATIENCE", 1.0)
    written, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic():
            factories.make_cluster(organization=organization, kubeconfig="kept")
            written.set()
            go_on.wait(30)
        connections.close_all()

    given(OLD)
    keys.may_write()
    writer = threading.Thread(target=write)
    writer.start()
    written.wait(30)
    given(NEW, OLD)

    try:
        with pytest.raises(rotating.StillNeeded, match="not done"):
            rotating.drop(keys.name(OLD))
    finally:
        go_on.set()
        writer.join()

    assert Cluster.objects.get(organization=organization).kubeconfig == "kept"
    assert keys.name(OLD) not in EncryptionKey.objects.exclude(retired_at=None).values_list("pk", flat=True)
