"""The pages that write secrets, against the AWS stand-in."""

import pytest

from accounts.models import AuditEvent
from external_secrets.models import InventoryEntry, InventoryState
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

VALUE = "canary-e41f-value"


@pytest.fixture
def client(sign_in, devops):
    return sign_in(devops)


def address(url, page, access, name=""):
    return f"{url(page)}?access={access.pk}" + (f"&name={name}" if name else "")


@pytest.fixture
def create(client, url, writable):
    def act(name="db", value=VALUE, **more):
        return client.post(address(url, "new", writable), {"name": name, "value": value, **more})

    return act


def told():
    return list(AuditEvent.objects.filter(action__startswith="secret.").order_by("sequence"))


class TestNew:
    def test_it_is_made_with_the_prefix_and_the_tags_and_can_be_linked_at_once(
        self, create, client, cloud, writable, organization, url
    ):
        organization.default_tags = {"team": "nobody", "by": "keyhaven"}
        organization.save()

        response = create(tags="stage=prod")

        entry = InventoryEntry.objects.get(access=writable, name="written/db")
        found = cloud.client("secretsmanager").describe_secret(SecretId="written/db")
        assert response.status_code == 302
        assert "name=written%2Fdb" in response.headers["Location"]
        assert response.headers["Cache-Control"] == "no-store"
        assert cloud.value("written/db") == VALUE
        assert {one["Key"]: one["Value"] for one in found["Tags"]} == {
            "team": "shop", "by": "keyhaven", "stage": "prod",
        }  # fmt: skip
        assert entry.reference == found["ARN"]
        assert entry.tags == {"team": "shop", "by": "keyhaven", "stage": "prod"}
        assert "Link it" in client.get(response.headers["Location"]).content.decode()
        link = client.get(url("link"), {"access": writable.pk, "key": "written/db"})
        assert link.status_code == 200

    def test_the_tags_and_the_prefix_are_shown_before(self, client, url, writable, organization):
        organization.default_tags = {"by": "keyhaven"}
        organization.save()

        text = client.get(address(url, "new", writable)).content.decode()

        assert "team=shop" in text
        assert "by=keyhaven" in text
        assert "written/" in text

    def test_lines_arrive_as_they_were_typed(self, create, cloud):
        create(value=" two\r\nlines\r\n")

        assert cloud.value("written/db") == " two\nlines\n"

    def test_one_that_is_there_is_refused_and_stays(self, create, cloud):
        create()

        response = create(value="other")

        assert response.status_code == 422
        assert "There is a secret of that name already" in response.content.decode()
        assert cloud.value("written/db") == VALUE

    def test_a_refused_form_does_not_have_the_value(self, create):
        response = create(tags="no tag")

        assert response.status_code == 422
        assert VALUE not in response.content.decode()
        assert "Type the value again" in response.content.decode()
        assert told() == []

    def test_a_default_tag_is_not_changed(self, create, cloud):
        response = create(tags="team=other")

        assert response.status_code == 422
        assert "team is a default tag here, and is shop." in response.content.decode()

    def test_a_value_that_is_too_large_is_not_sent(self, create):
        response = create(value="x" * 65_537)

        assert response.status_code == 422
        assert "65,537 bytes" in response.content.decode()
        assert told() == []

    def test_an_access_that_was_never_read_has_the_name_too(self, create, writable):
        create()

        assert InventoryState.objects.get(access=writable).entries == 1

    def test_accesses_are_offered_and_those_that_only_read_are_not(self, client, url, access, cluster):
        factories.make_access(cluster=cluster, name="reading")

        text = client.get(url("new")).content.decode()

        assert f"?access={access.pk}" in text
        assert "Only reads" in text


class TestVersion:
    def test_it_replaces_the_value(self, create, client, url, cloud, writable):
        create()

        response = client.post(address(url, "version", writable, "written/db"), {"value": "second"})

        assert response.status_code == 302
        assert "written=version" in response.headers["Location"]
        assert cloud.value("written/db") == "second"

    def test_what_uses_it_can_be_read_again(self, create, client, url, writable, service):
        create()
        factories.make_link(service=service, access=writable, key="written/db")

        client.post(address(url, "version", writable, "written/db"), {"value": "second"})
        page = client.get(f"{address(url, 'secret', writable, 'written/db')}&written=version")

        assert "Read again" in page.content.decode()
        again = client.post(address(url, "read_again", writable, "written/db"))
        assert again.status_code == 302

    def test_one_that_is_gone_is_said(self, client, url, writable):
        response = client.post(address(url, "version", writable, "written/gone"), {"value": "second"})

        assert response.status_code == 422
        assert "AWS does not have it." in response.content.decode()


class TestDeleteAndRestore:
    def test_the_name_is_typed_and_it_comes_back(self, create, client, url, cloud, writable):
        create()
        page = address(url, "delete", writable, "written/db")

        wrong = client.post(page, {"name": "written/d"})
        deleted = client.post(page, {"name": "written/db"})
        entry = InventoryEntry.objects.get(access=writable, name="written/db")
        restored = client.post(address(url, "restore", writable, "written/db"))

        assert wrong.status_code == 422
        assert deleted.status_code == restored.status_code == 302
        assert entry.deletes_at is not None
        assert cloud.value("written/db") == VALUE
        entry.refresh_from_db()
        assert entry.deletes_at is None

    def test_who_would_notice_is_shown(self, create, client, url, writable, service):
        create()
        factories.make_link(service=service, access=writable, key="written/db", variable="DB_PASSWORD")

        text = client.get(address(url, "delete", writable, "written/db")).content.decode()

        assert "1 service in 1 cluster would notice" in text
        assert "DB_PASSWORD" in text
        assert "30 days" in text

    def test_a_new_one_of_that_name_is_refused_until_then(self, create, client, url, writable):
        create()
        client.post(address(url, "delete", writable, "written/db"), {"name": "written/db"})

        response = create()

        # moto tells it as of one that is there; that AWS does otherwise is tested with what it answers.
        assert response.status_code == 422
        assert "There is a secret of that name already" in response.content.decode()


def test_tags_are_added(create, client, url, writable, cloud):
    create()

    response = client.post(address(url, "tags", writable, "written/db"), {"tags": "stage=dev"})

    entry = InventoryEntry.objects.get(access=writable, name="written/db")
    assert response.status_code == 302
    assert entry.tags == {"team": "shop", "stage": "dev"}


def test_the_log_tells_names_and_tags_of_each_attempt_and_how_it_ended(create, client, url, writable, devops):
    create()
    client.post(address(url, "version", writable, "written/db"), {"value": VALUE})
    client.post(address(url, "delete", writable, "written/db"), {"name": "written/db"})
    client.post(address(url, "restore", writable, "written/db"))
    create()

    events = told()
    assert [event.action for event in events] == [
        "secret.write_begun", "secret.created", "secret.write_begun", "secret.version_added",
        "secret.write_begun", "secret.deleted", "secret.write_begun", "secret.restored",
        "secret.write_begun", "secret.write_failed",
    ]  # fmt: skip
    assert events[1].details == {
        "act": "create", "name": "written/db", "cluster": "prod", "tags": {"team": "shop"},
    }  # fmt: skip
    assert {event.actor_name for event in events} == {str(devops)}
    assert VALUE not in str([event.details for event in events])
