"""Turning the built-in store on is an owner's, proved again, and says what it means."""

import pytest
from django.urls import reverse

from accounts.models import AuditEvent, Organization
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(organization):
    return reverse("built_in:settings", kwargs={"org": organization.slug})


def is_on(organization) -> bool:
    return Organization.objects.get(pk=organization.pk).built_in_store


def test_it_is_off_and_the_page_says_what_it_means(organization, owner, sign_in, url):
    page = sign_in(owner).get(url).content.decode()

    assert not is_on(organization)
    for words in ("has both the database and FIELD_ENCRYPTION_KEY", "backups", "kept for 30 days"):
        assert words in page


def test_it_is_turned_on_once_that_is_accepted(organization, owner, sign_in, url):
    client = sign_in(owner)

    without = client.post(url, {"on": "true"})
    refused = is_on(organization)
    accepted = client.post(url, {"on": "true", "understood": "on"})

    assert (without.status_code, refused) == (422, False)
    assert accepted.status_code == 302
    assert is_on(organization)
    assert AuditEvent.objects.get(action="built_in_store.enabled").actor_name == str(owner)


def test_it_cannot_be_turned_off_while_an_access_uses_it(organization, owner, sign_in, url):
    Organization.objects.filter(pk=organization.pk).update(built_in_store=True)
    cluster = factories.make_cluster(organization=organization)
    access = factories.make_access(cluster=cluster, provider="built-in", method="gateway", name="own")
    client = sign_in(owner)

    refused = client.post(url, {})
    access.delete()
    done = client.post(url, {})

    assert refused.status_code == 422
    assert "own" in refused.content.decode()
    assert done.status_code == 302
    assert not is_on(organization)


@pytest.mark.parametrize("role", ["admin", "devops", "auditor", "viewer"])
def test_nobody_else_may(organization, sign_in, url, role):
    client = sign_in(factories.make_member(organization, role))

    assert client.post(url, {"on": "true", "understood": "on"}).status_code == 403
    assert not is_on(organization)
