"""Names as AWS' own wire brings them: read whole, asked live, and refused."""

import pytest
from django.test import Client
from django.urls import reverse

from external_secrets import browsing, inventory
from external_secrets.models import InventoryEntry, InventoryState
from sandbox import world
from sandbox.aws import Cloud
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.sandbox]

COUNT = 250


@pytest.fixture(scope="module")
def cloud():
    with Cloud(count=COUNT) as running:
        yield running


@pytest.fixture
def sign_in_as(cloud, cluster, monkeypatch):
    """Return a function that makes an access of one of the stand-in's users."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)

    def act(user: str):
        key, secret = cloud.keys[user]
        credential = {"access_key_id": key, "secret_access_key": secret}
        return factories.make_access(cluster=cluster, credential=credential)

    return act


def test_every_name_is_read_with_its_arn_and_tags(sign_in_as):
    access = sign_in_as("reader")

    inventory.read_all(access)

    found = {entry.name: entry for entry in InventoryEntry.objects.filter(access=access)}
    assert sorted(found) == world.names(COUNT)
    entry = next(entry for entry in found.values() if entry.name.count("/") == 2)
    assert entry.reference.startswith("arn:aws:secretsmanager:eu-west-3:123456789012:secret:")
    assert entry.tags["stage"] == entry.name.split("/")[0]
    assert entry.changed_at is not None


def test_live_names_are_filtered_by_aws(sign_in_as):
    access = sign_in_as("reader")

    names = browsing.live(access, "prod/billing/")

    expected = [name for name in world.names(COUNT) if name.startswith("prod/billing/")]
    assert [row.name for row in names.rows] == expected[:100]


def test_a_user_that_may_not_list_gets_the_permissions_name(sign_in_as, devops, organization):
    access = sign_in_as("limited")
    client = Client()
    client.force_login(devops)

    inventory.read_all(access)
    page = client.get(
        reverse("external_secrets:browse", kwargs={"org": organization.slug}), {"access": access.pk}
    )

    state = InventoryState.objects.get(access=access)
    assert (state.cause, state.permission) == ("refused", "secretsmanager:ListSecrets")
    assert ">secretsmanager:ListSecrets</code>" in page.content.decode()
    assert 'id="key"' in page.content.decode()


def test_wrong_keys_are_refused(sign_in_as):
    access = sign_in_as("reader")
    access.credential = access.credential | {"secret_access_key": "x" * 40}
    access.save()

    inventory.read_all(access)

    assert InventoryState.objects.get(access=access).cause == "refused"


def test_an_address_where_nobody_answers(sign_in_as, monkeypatch):
    access = sign_in_as("reader")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    inventory.read_all(access)

    assert InventoryState.objects.get(access=access).cause == "unreachable"
