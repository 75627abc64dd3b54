"""Two at the same moment: one takes a credential away, the other begins to use it; the database lets one of them."""

import threading
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import AuditEvent
from clusters.models import Cluster
from credentials import services
from credentials.models import CloudCredential
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ground() -> Any:
    organization = factories.make_organization()
    return (
        factories.make_member(organization, "admin"),
        factories.make_cloud_credential(organization=organization, name="aws-prod"),
        factories.make_cluster(organization=organization, name="prod"),
    )


def at_once(*acts: Any) -> list[str]:
    """Run each act on a connection of its own, all at the same moment, and return what became of each."""
    start, found = threading.Barrier(len(acts)), [""] * len(acts)

    def run(number: int, act: Any) -> None:
        start.wait()
        try:
            act()
            found[number] = "done"
        except (services.InUse, IntegrityError) as error:
            found[number] = type(error).__name__
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return found


@pytest.mark.parametrize("number", range(5))
def test_of_deleting_and_beginning_to_use_it_one_happens(ground, number):
    admin, credential, cluster = ground

    deleted, used = at_once(
        lambda: services.delete(credential=CloudCredential.objects.get(), by=admin),
        lambda: Cluster.objects.filter(pk=cluster.pk).update(credential=credential.pk),
    )

    cluster.refresh_from_db()
    assert sorted([deleted, used]) in (["InUse", "done"], ["IntegrityError", "done"])
    assert CloudCredential.objects.exists() == (deleted == "InUse") == (cluster.credential_id is not None)
    assert AuditEvent.objects.filter(action="credential.deleted").exists() == (deleted == "done")


def test_what_another_connection_is_about_to_use_is_waited_for_and_kept(ground):
    """The other's transaction is open while the deletion begins, which therefore sees no user yet."""
    admin, credential, cluster = ground
    begun, going = threading.Event(), threading.Event()

    def begin_to_use() -> None:
        with transaction.atomic():
            CloudCredential.objects.select_for_update(no_key=True).get()
            Cluster.objects.filter(pk=cluster.pk).update(credential=credential.pk)
            begun.set()
            # Until the deletion waits for this row.
            going.wait(0.5)

    def delete() -> None:
        begun.wait(10)
        services.delete(credential=CloudCredential.objects.get(), by=admin)

    used, deleted = at_once(begin_to_use, delete)

    assert (used, deleted) == ("done", "InUse")
    assert CloudCredential.objects.exists()


def test_of_two_deletions_the_second_finds_nothing_to_do(ground):
    admin, credential, _ = ground

    def delete() -> None:
        services.delete(credential=CloudCredential(pk=credential.pk, name="aws-prod"), by=admin)

    assert at_once(delete, delete) == ["done", "done"]
    assert not CloudCredential.objects.exists()
    assert AuditEvent.objects.filter(action="credential.deleted").count() == 1
