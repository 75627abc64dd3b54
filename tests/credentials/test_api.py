"""The API's list and changes of credentials: fields, filters and reminders."""

import datetime
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from credentials.models import CloudCredential
from tests import factories

pytestmark = pytest.mark.django_db

URL = "/api/v1/organizations/acme/credentials"


@pytest.fixture
def call(client, organization, admin) -> Any:
    """Return a function that calls the API as an admin and returns status and body."""
    headers = {"Authorization": f"Bearer {factories.make_token(admin, organization)}"}

    def act(method: str, path: str = "", **body: Any) -> tuple[int, Any]:
        send = getattr(client, method)
        sent = {"data": body, "content_type": "application/json"} if method != "get" else {"data": body}
        answer = send(f"{URL}{path}", headers=headers, **sent)
        return answer.status_code, answer.json() if answer.content else None

    return act


@pytest.fixture
def credential(organization):
    ends = timezone.now() + datetime.timedelta(days=10)
    return factories.make_cloud_credential(
        organization=organization, name="aws-prod", expires_at=ends, rotate_days=90, made_at=timezone.now()
    )


def test_it_tells_age_end_and_use(call, credential):
    status, shown = call("get", "/aws-prod")

    assert status == 200
    assert shown["made_at"] is not None
    assert shown["expires_at"] == shown["rotate_at"], "the end comes before the ninety days"
    assert (shown["rotate_days"], shown["used_at"]) == (90, None)
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["aws-prod", "gcp-one"]),
        ({"state": "expiring"}, ["aws-prod"]),
        ({"state": "unused"}, ["aws-prod", "gcp-one"]),
        ({"state": "failing"}, []),
        ({"cloud": "gcp"}, ["gcp-one"]),
        ({"q": "robot"}, ["gcp-one"]),
    ],
)
def test_filters(call, credential, organization, asked, names):
    factories.make_cloud_credential(
        organization=organization, name="gcp-one", cloud="gcp", method="key", facts={"email": "robot@acme"}
    )

    _, page = call("get", **asked)

    assert [one["name"] for one in page["items"]] == names


def test_a_state_that_there_is_not_is_said(call, credential):
    assert call("get", state="moon")[0] == 422


def test_reminders_are_set_and_what_is_left_out_stays(call, credential):
    status, shown = call("patch", "/aws-prod", version=1, rotate_days=30)

    live = CloudCredential.objects.get()
    assert (status, shown["rotate_days"]) == (200, 30)
    assert live.expires_at == credential.expires_at
    assert AuditEvent.objects.filter(action="credential.reminders_changed").count() == 1


def test_null_is_no_reminder_and_no_end(call, credential):
    call("patch", "/aws-prod", version=1, rotate_days=None, expires_at=None)

    live = CloudCredential.objects.get()
    assert (live.rotate_days, live.expires_at) == (None, None)


def test_an_end_without_a_zone_is_said(call, credential):
    assert call("patch", "/aws-prod", version=1, expires_at="2031-01-01T00:00:00")[0] == 422
