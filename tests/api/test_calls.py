"""What the calls on people and the audit log do, beside being let in: the same rules as the pages."""

import json
from typing import Any

import pytest

from accounts.models import ApiToken, AuditEvent, CustomRole, Invitation, Membership
from tests import factories
from tests.api.conftest import Caller

pytestmark = pytest.mark.django_db


def fields(response: Any) -> set[str]:
    assert response.status_code == 422, response.content
    return {error["field"] for error in response.json()["errors"]}


def test_an_organization_is_renamed_and_its_address_is_its_own(organization, owner, call_as):
    factories.make_organization(slug="globex")
    call = call_as(owner)

    taken = call("PATCH", "", {"slug": "globex"})
    wrong = call("PATCH", "", {"slug": "-", "name": ""})
    renamed = call("PATCH", "", {"name": "Acme Platform"})

    assert taken.status_code == 409
    assert fields(wrong) == {"slug", "name"}
    assert (renamed.json()["name"], renamed.json()["slug"]) == ("Acme Platform", "acme")
    event = AuditEvent.objects.get(action="organization.renamed")
    assert event.details == {"changes": {"name": ["Acme", "Acme Platform"]}}
    assert event.origin == "api"


def test_a_field_that_there_is_not_is_a_mistake(organization, owner, call_as):
    assert fields(call_as(owner)("PATCH", "", {"nome": "Acme"})) == {"nome"}


def test_a_body_is_json_and_small(organization, owner, call_as):
    call, patch = call_as(owner), "PATCH"
    root, headers = call.root, {"Authorization": f"Bearer {call.value}"}

    answers = {
        "broken": call(patch, "", b"{"),
        "NaN": call(patch, "", b'{"name": NaN}'),
        "NUL": call(patch, "", b'{"name": "a\\u0000"}'),
        "half a character": call(patch, "", b'{"name": "\\ud800"}'),
        "deep": call(patch, "", b"[" * 100_000),
        "a list": call(patch, "", b"[]"),
        "large": call(patch, "", {"name": "x" * 1_100_000}),
        "a form": call.client.generic(
            patch, root, b"name=x", "application/x-www-form-urlencoded", headers=headers
        ),
    }

    assert {name: answer.status_code for name, answer in answers.items()} == {
        "broken": 400,
        "NaN": 400,
        "NUL": 400,
        "half a character": 400,
        "deep": 400,
        "a list": 422,
        "large": 413,
        "a form": 415,
    }
    assert {answer.headers["Content-Type"] for answer in answers.values()} == {"application/problem+json"}


def test_members_are_listed_people_and_machines(organization, viewer, call_as):
    factories.make_machine(organization, "viewer")

    items = call_as(viewer).get("/members").json()["items"]

    assert sorted((item["machine"], bool(item["email"])) for item in items) == [(False, True), (True, False)]
    assert items[0]["roles"] == [{"id": "viewer", "name": "Viewer"}]


def test_nobody_gives_more_than_the_token_holds(organization, owner, viewer, call_as):
    """The owner might, but this token of the owner's may not."""
    members = CustomRole.objects.create(
        organization=organization, name="members", permissions=["member:manage", "member:view"]
    )
    call = call_as(owner, roles=["viewer"], custom_roles=[members])
    member = Membership.objects.get(user=viewer)

    raised = call("PUT", f"/members/{member.pk}/roles", {"roles": ["owner"]})
    unknown = call("PUT", f"/members/{member.pk}/roles", {"roles": ["emperor"]})
    kept = call("PUT", f"/members/{member.pk}/roles", {"roles": ["viewer"]})
    invited = call.post("/invitations", {"roles": ["admin"]})

    assert [answer.status_code for answer in (raised, unknown, kept, invited)] == [422, 422, 200, 422]
    assert Membership.objects.get(user=viewer).roles == ["viewer"]
    assert not Invitation.objects.exists()


def test_the_last_owner_stays(organization, owner, call_as):
    member, call = Membership.objects.get(user=owner), call_as(owner)

    removed = call("DELETE", f"/members/{member.pk}")
    lowered = call("PUT", f"/members/{member.pk}/roles", {"roles": ["viewer"]})

    assert (removed.status_code, lowered.status_code) == (409, 409)


def test_a_removed_member_s_token_is_refused_at_once(organization, owner, devops, call_as):
    theirs = call_as(devops)
    before = theirs.get("/clusters").status_code

    removed = call_as(owner)("DELETE", f"/members/{Membership.objects.get(user=devops).pk}")

    assert (before, removed.status_code, theirs.get("/clusters").status_code) == (200, 204, 401)


def test_an_invitation_goes_by_mail_or_has_a_link(organization, owner, call_as, mailoutbox):
    call = call_as(owner)

    by_mail = call.post("/invitations", {"email": "New@example.com", "roles": ["viewer"]})
    by_link = call.post("/invitations", {"roles": ["viewer"], "days": 1})
    again = call.post("/invitations", {"email": "new@example.com", "roles": ["viewer"]})

    assert (by_mail.json()["link"], by_mail.json()["email"]) == (None, "new@example.com")
    assert "/join/" in by_link.json()["link"]
    assert again.status_code == 409
    assert [message.to for message in mailoutbox] == [["new@example.com"]]
    assert {item["email"] for item in call.get("/invitations").json()["items"]} == {"", "new@example.com"}
    assert "link" not in call.get("/invitations").json()["items"][0]


def test_a_role_is_changed_by_who_saw_it_last(organization, owner, call_as):
    call, body = call_as(owner), {"name": "Readers", "permissions": ["cluster:view"]}
    made = call.post("/roles", body).json()
    path = f"/roles/{made['id']}"

    same_name = call.post("/roles", body)
    wrong = call.post("/roles", body | {"name": "x", "clusters": ["*"], "permissions": ["member:manage"]})
    first = call("PUT", path, body | {"clusters": ["staging-*"], "version": made["version"]})
    second = call("PUT", path, body | {"version": made["version"]})
    gone = call("DELETE", path)

    assert same_name.status_code == 409
    assert "clusters" in fields(wrong)
    assert (first.status_code, first.json()["clusters"], first.json()["version"]) == (200, ["staging-*"], 2)
    assert (second.status_code, gone.status_code, call.get(path).status_code) == (409, 204, 404)


def test_a_token_s_value_is_in_one_answer(organization, owner, call_as):
    call = call_as(owner)

    made = call.post("/tokens", {"name": "pipeline", "roles": ["viewer"]}).json()
    listed = call.get("/tokens")

    assert Caller(made["value"]).get("/clusters").status_code == 200
    assert made["value"].encode() not in listed.content
    assert made["value"] not in json.dumps(list(AuditEvent.objects.values_list("details", flat=True)))
    assert call("DELETE", f"/tokens/{made['id']}").status_code == 204
    assert Caller(made["value"]).get("/clusters").status_code == 401
    assert {item["state"] for item in call.get("/tokens").json()["items"]} == {"active", "revoked"}


def test_a_small_token_ends_itself_and_no_other(organization, owner, call_as):
    factories.make_token(owner, organization, name="other")
    call = call_as(owner, name="small", roles=["viewer"])

    other = call("DELETE", f"/tokens/{ApiToken.objects.get(name='other').pk}")
    itself = call("DELETE", f"/tokens/{ApiToken.objects.get(name='small').pk}")

    assert (other.status_code, itself.status_code, call.get("/clusters").status_code) == (404, 204, 401)


def test_a_token_sees_only_what_its_role_is_limited_to(organization, owner, call_as):
    for name in ("prod", "staging-1", "staging-2"):
        factories.make_cluster(organization=organization, name=name)
    limited = CustomRole.objects.create(
        organization=organization, name="staging", permissions=["cluster:view"], clusters=["staging-*"]
    )
    call = call_as(owner, roles=[], custom_roles=[limited])

    listed = [item["name"] for item in call.get("/clusters").json()["items"]]

    assert listed == ["staging-1", "staging-2"]
    assert call.get("/clusters/prod").status_code == 404
    assert call.get("/clusters/prod").json()["detail"] == call.get("/clusters/nothing").json()["detail"]
    assert call.get("/members").status_code == 403


def test_the_audit_log_is_paged_and_filtered(organization, auditor, call_as):
    call = call_as(auditor)
    for _ in range(3):
        call_as(auditor, roles=[]).get("/clusters")
    seen, path = [], "/audit-events?limit=2"
    while path:
        response = call.get(path)
        seen += [item["sequence"] for item in response.json()["items"]]
        path = response.headers.get("Link", "").split(">")[0].partition(call.root)[2]

    refused = call.get("/audit-events?action=permission.refused").json()["items"]
    nothing = call.get("/audit-events?since=2100-01-01T00:00:00Z").json()["items"]

    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == AuditEvent.objects.count()
    assert {item["action"] for item in refused} == {"permission.refused"}
    assert nothing == []
    assert call.get(f"/audit-events/{seen[0]}").json()["sequence"] == seen[0]
    assert fields(call.get("/audit-events?cursor=x")) == {"cursor"}


def test_a_time_of_any_zone_is_asked_for(organization, auditor, call_as):
    call = call_as(auditor)
    call.get("/clusters")

    found = {
        when: call.get(f"/audit-events?since={when}")
        for when in (
            "2000-01-01",
            "2000-01-01T00:00:00",
            "2000-01-01T00:00:00%2B19:15",
            "0001-01-01T00:00:00%2B19:15",
        )
    }

    assert [len(answer.json().get("items", [])) for answer in found.values()] == [1, 1, 1, 0]
    assert fields(found["0001-01-01T00:00:00%2B19:15"]) == {"since"}


def test_the_audit_log_is_exported_and_the_export_is_in_it(organization, auditor, call_as):
    call = call_as(auditor)
    call.get("/clusters")

    response = call.get("/audit-export")
    lines = [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]

    assert response.headers["Content-Type"].startswith("application/jsonl")
    assert lines[-1]["end"] is True
    assert [line["action"] for line in lines[1:-1]] == ["token.used"]
    event = AuditEvent.objects.get(action="audit.exported")
    assert event.token.startswith(ApiToken.objects.get().name)
