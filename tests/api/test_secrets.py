"""What the calls on accesses, names and external secrets do: what the pages do, by the same rules."""

import json

import pytest
from django.utils import timezone

from accesses.models import Access, AccessDraft
from accesses.providers import PROVIDERS
from accounts.models import AuditEvent
from external_secrets.models import ExternalSecret, InventoryState
from tests import factories
from tests.api.test_calls import fields

pytestmark = [pytest.mark.django_db]
ROOT = "/clusters/prod"
# As a value and a credential would be told by nobody.
SECRET = "s" * 40


@pytest.fixture
def cluster(organization):
    return factories.make_cluster(organization=organization, name="prod", operator_version="2.8.0")


@pytest.fixture
def service(cluster):
    return factories.make_service(cluster=cluster, name="api")


@pytest.fixture
def access(cluster, service):
    return factories.make_access(cluster=cluster, name="aws")


@pytest.fixture
def names(access):
    found = ("app/one", "app/two", "prod/db")
    for name in found:
        factories.make_entry(access, name, tags={"stage": name.partition("/")[0]})
    now = timezone.now()
    InventoryState.objects.create(access=access, entries=len(found), read_at=now, tried_at=now)
    return found


@pytest.fixture
def call(call_as, devops, service):
    return call_as(devops)


def details(cloud, **changed):
    keys = {"access_key_id": cloud.access_key_id, "secret_access_key": cloud.secret_access_key}
    return {
        "provider": "aws-secrets-manager", "method": "static", "name": "aws", "namespaces": ["shop"],
        "fields": {"region": "eu-west-3"} | keys,
    } | changed  # fmt: skip


# -- accesses ----------------------------------------------------------------------------------------------
def test_providers_say_what_is_written_and_why_names_are_typed(call):
    items = {one["provider"]: one for one in call.get(f"{ROOT}/providers").json()["items"]}

    assert {slug: one["group"] for slug, one in items.items()} == {
        slug: one.group for slug, one in PROVIDERS.items()
    }
    assert items["http"]["writing"] is None
    assert items["http"]["unlisted"] == PROVIDERS["http"].unlisted != ""
    assert items["aws-secrets-manager"]["unlisted"] == ""
    assert items["aws-secrets-manager"]["writing"]["restores"]
    assert not items["doppler"]["writing"]["tags"]
    assert "secretsmanager:CreateSecret" in items["aws-secrets-manager"]["writing"]["policy"]


@pytest.mark.parametrize(
    ("sent", "field"), [({"tags": "aws:team=shop"}, "fields.tags"), ({"tags": "team"}, "fields.tags")]
)
def test_default_tags_are_checked_as_the_manager_takes_them(call, access, sent, field):
    answer = call("PATCH", f"{ROOT}/accesses/aws", {"version": access.version, "fields": sent})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_providers_say_what_to_send(call):
    items = {one["provider"]: one for one in call.get(f"{ROOT}/providers").json()["items"]}

    static = next(one for one in items["aws-secrets-manager"]["methods"] if one["method"] == "static")
    shown = {field["name"]: (field["required"], field["secret"]) for field in static["fields"]}
    assert static["possible"] is True
    assert shown["region"] == (True, False)
    assert shown["secret_access_key"] == (True, True)


@pytest.mark.sandbox
def test_an_access_is_made_by_its_fields_alone(call, sandbox_cloud, aws_endpoint):
    made = call.post(f"{ROOT}/accesses", details(sandbox_cloud))

    assert made.status_code == 201, made.content
    shown = made.json()
    assert shown["configuration"] == {"region": "eu-west-3"}
    assert [one["name"] for one in shown["states"]] == ["Accepted", "Validated", "Verified"]
    assert (shown["states"][2]["state"], shown["test"]["listed"]) == ("verified", True)
    stored = Access.objects.get(name="aws")
    assert stored.credential["secret_access_key"] == sandbox_cloud.secret_access_key
    for answer in (made, call.get(f"{ROOT}/accesses/aws"), call.get("/accesses")):
        assert sandbox_cloud.secret_access_key not in answer.content.decode()
    told = json.dumps(AuditEvent.objects.get(action="access.created").details)
    assert sandbox_cloud.secret_access_key not in told


@pytest.mark.sandbox
def test_what_does_not_work_is_not_stored_and_leaves_no_draft(call, sandbox_cloud, aws_endpoint):
    keys = {"region": "eu-west-3", "access_key_id": sandbox_cloud.access_key_id, "secret_access_key": SECRET}

    wrong_key = call.post(f"{ROOT}/accesses", details(sandbox_cloud, fields=keys))
    wrong = call.post(
        f"{ROOT}/accesses", details(sandbox_cloud, namespaces=["nowhere"], fields={"region": "x"})
    )
    unknown = call.post(f"{ROOT}/accesses", details(sandbox_cloud, fields={"key": SECRET}))

    assert all(name.startswith("fields.") for name in fields(wrong_key))
    assert {"namespaces", "fields.region"} <= fields(wrong)
    assert fields(unknown) == {"fields.key"}
    for answer in (wrong_key, wrong, unknown):
        assert SECRET not in answer.content.decode()
    assert (Access.objects.count(), AccessDraft.objects.count()) == (0, 0)


def test_the_rules_of_identity_hold(call, cluster):
    """Of a role that deploys make and one that people make there is one kind on a cluster."""
    cluster.kind, cluster.account = "eks", "123456789012"
    cluster.issuer = "https://oidc.eks.eu-west-3.amazonaws.com/id/ABC"
    cluster.save()
    factories.make_access(cluster=cluster, name="made", method="automatic", credential=None)

    answer = call.post(
        f"{ROOT}/accesses",
        {
            "provider": "aws-secrets-manager", "method": "role", "name": "again", "namespaces": ["shop"],
            "fields": {"region": "eu-west-3", "role_arn": "arn:aws:iam::123456789012:role/x"},
        },
    )  # fmt: skip

    assert answer.status_code == 409, answer.content
    assert "exclude each other" in answer.json()["detail"]


def test_an_access_is_changed_by_who_saw_it_last(call, access, cluster):
    factories.make_service(cluster=cluster, namespace="billing")
    path = f"{ROOT}/accesses/aws"

    first = call("PATCH", path, {"version": 1, "namespaces": ["shop", "billing"]})
    second = call("PATCH", path, {"version": 1, "namespaces": ["shop"]})

    assert (first.status_code, first.json()["namespaces"]) == (200, ["billing", "shop"]), first.content
    assert (first.json()["version"], second.status_code) == (2, 409)
    assert Access.objects.get(name="aws").credential == access.credential


def test_an_access_in_use_is_not_deleted_but_what_uses_it_moves(call, access, cluster, service):
    factories.make_access(cluster=cluster, name="other")
    link = factories.make_link(service=service, access=access)

    refused = call("DELETE", f"{ROOT}/accesses/aws")
    usage = call.get(f"{ROOT}/accesses/aws/usage").json()
    moved = call.post(f"{ROOT}/accesses/aws/move", {"target": "other"})
    gone = call("DELETE", f"{ROOT}/accesses/aws")

    assert (refused.status_code, moved.json(), gone.status_code) == (409, {"count": 1}, 204)
    assert usage["namespaces"][0]["services"][0]["service"]["name"] == "api"
    link.refresh_from_db()
    assert link.access.name == "other"


# -- names -------------------------------------------------------------------------------------------------
def test_names_come_in_pages_and_are_found_by_part_and_tag(call, names):
    first = call.get("/secrets?limit=2").json()
    rest = call.get(f"/secrets?limit=2&cursor={first['next']}").json()

    assert [one["name"] for one in first["items"] + rest["items"]] == list(names)
    assert rest["next"] is None
    assert first["inventories"][0]["read_at"]
    for query, found in (
        ("q=app/", ["app/one", "app/two"]),
        ("q=TWO&mode=contains", ["app/two"]),
        ("tag=stage=prod", ["prod/db"]),
        ("cluster=prod&access=aws&q=prod", ["prod/db"]),
    ):
        assert [one["name"] for one in call.get(f"/secrets?{query}").json()["items"]] == found, query
    assert call.get("/secrets?access=nowhere").status_code == 404
    assert fields(call.get("/secrets?cursor=x")) == {"cursor"}


def test_a_name_tells_who_uses_it(call, names, access, service):
    link = factories.make_link(service=service, access=access, key="prod/db")

    one = call.get(f"{ROOT}/accesses/aws/secret?name=prod/db").json()

    assert one["users"] == ["shop/api"]
    assert [use["external_secret"] for use in one["uses"]] == [str(link.pk)]
    assert call.get("/secrets?state=linked").json()["items"][0]["users"] == ["shop/api"]
    assert call.get(f"{ROOT}/accesses/aws/secret?name=never").status_code == 404


# -- external secrets --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"key": "prod/db"}, {"variable": "DB", "takes": "value"}),
        ({"key": "prod/db#user"}, {"variable": "DB_USER", "json_field": "user"}),
        (
            {"key": "prod/db", "target": "file", "path": "/run/db", "mount": "file", "file_mode": "0400"},
            {"path": "/run/db", "mount": "file", "file_mode": 0o400, "variable": ""},
        ),
        ({"key": "prod/db", "target": "both", "variable": "DB_FILE"}, {"path": "/vault/secrets/db"}),
        ({"takes": "keys", "key": "prod/db", "variable": "DB_"}, {"takes": "keys", "variable": "DB_"}),
        ({"takes": "path", "key": "app/"}, {"takes": "path", "key": "app/"}),
        ({"takes": "tags", "tags": {"stage": "prod"}}, {"takes": "tags", "tags": {"stage": "prod"}}),
        ({"key": "prod/db", "version": "AWSPREVIOUS"}, {"version": "AWSPREVIOUS"}),
        ({"key": "prod/db", "refresh_seconds": 300, "when_gone": "Delete"}, {"refresh_seconds": 300}),
    ],
)
def test_every_shape_of_the_form_can_be_sent(call, names, service, sent, stored):
    made = call.post(
        f"{ROOT}/external-secrets", {"access": "aws", "service": str(service.pk), "container": "web"} | sent
    )

    assert made.status_code == 201, made.content
    link = ExternalSecret.objects.get()
    assert {name: getattr(link, name) for name in stored} == stored
    assert made.json()["object_name"] == link.object_name


def test_another_name_for_a_value_is_made_and_takes_nothing_of_its_own(call, access, service):
    link = factories.make_link(service=service, access=access, key="prod/db")
    body = {"alias_of": str(link.pk), "service": str(service.pk), "variable": "AGAIN"}

    made = call.post(f"{ROOT}/external-secrets", body)
    wrong = call.post(f"{ROOT}/external-secrets", body | {"key": "prod/other"})

    assert (made.status_code, made.json()["alias_of"]) == (201, str(link.pk)), made.content
    assert fields(wrong) == {"key"}


def test_what_is_wrong_is_said_at_its_field(call, names, access, service):
    path, place = f"{ROOT}/external-secrets", {"access": "aws", "service": str(service.pk)}
    factories.make_link(service=service, access=access, variable="TAKEN", container="")

    assert fields(call.post(path, place | {"key": "never"})) == {"key"}
    assert fields(call.post(path, place | {"key": "prod/db", "variable": "1"})) == {"variable"}
    assert fields(call.post(path, place | {"key": "prod/db", "variable": "TAKEN"})) == {"variable"}
    assert fields(call.post(path, {"access": "aws", "key": "prod/db"})) == {"service"}
    assert fields(call.post(path, {"key": "prod/db", "namespace": "shop"})) == {"access"}
    assert fields(call.post(path, place | {"key": "prod/db", "target": "file", "path": "x"})) == {"path"}


def test_a_list_is_linked_whole_or_not_at_all(call, names, service):
    path, place = f"{ROOT}/external-secrets/batch", {"access": "aws", "service": str(service.pk)}

    wrong = call.post(path, place | {"lines": ["ONE=app/one", "# a comment", "TWO=never"]})
    before = ExternalSecret.objects.count()
    right = call.post(path, place | {"lines": ["ONE=app/one", "app/two"]})

    assert (fields(wrong), before) == ({"lines.2"}, 0)
    assert right.json() == {"count": 2}
    assert set(ExternalSecret.objects.values_list("variable", flat=True)) == {"ONE", "TWO"}


def test_a_change_keeps_what_is_not_sent_and_knows_what_was_seen(call, names, access, service):
    link = factories.make_link(
        service=service, access=access, key="app/one", variable="ONE", refresh_seconds=900, when_gone="Delete"
    )
    path, seen = f"/external-secrets/{link.pk}", link.updated_at.isoformat()

    first = call("PATCH", path, {"revision": seen, "key": "app/two"})
    second = call("PATCH", path, {"revision": seen, "key": "prod/db"})

    assert first.status_code == 200, first.content
    kept = {name: first.json()[name] for name in ("key", "variable", "refresh_seconds", "when_gone")}
    assert kept == {"key": "app/two", "variable": "ONE", "refresh_seconds": 900, "when_gone": "Delete"}
    assert (second.status_code, second.json()["detail"].count("Somebody changed")) == (409, 1)


def test_external_secrets_are_filtered_and_moved_to_another_place(call, access, service, cluster):
    other = factories.make_service(cluster=cluster, name="worker")
    links = [factories.make_link(service=service, access=access, variable=name) for name in ("A", "B")]
    ids = [str(link.pk) for link in links]

    moved = call.post(f"{ROOT}/external-secrets/relocate", {"ids": ids, "service": str(other.pk)})

    assert moved.json() == {"count": 2}, moved.content
    for query, count in (
        (f"service={other.pk}", 2), (f"service={service.pk}", 0), ("q=a&access=aws", 1),
        ("namespace=shop&kind=variable", 2), ("kind=file", 0), ("cluster=nowhere", 0), ("limit=1", 1),
    ):  # fmt: skip
        assert len(call.get(f"/external-secrets?{query}").json()["items"]) == count, query


def test_what_was_never_deployed_cannot_be_read_again(call, access, service):
    link = factories.make_link(service=service, access=access)

    answer = call.post(f"/external-secrets/{link.pk}/sync")

    assert (answer.status_code, "Deploy first" in answer.json()["detail"]) == (409, True)


def test_a_repeated_call_links_once(call, names, service):
    body = {"access": "aws", "namespace": "shop", "key": "prod/db"}

    answers = [call.post(f"{ROOT}/external-secrets", body, **{"Idempotency-Key": "one"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert ExternalSecret.objects.count() == 1


# -- yaml --------------------------------------------------------------------------------------------------
def test_what_is_exported_can_be_imported(call, access, service):
    factories.make_link(service=service, access=access, key="prod/db", variable="DB_PASSWORD")
    text = call.get(f"{ROOT}/export").content.decode()
    ExternalSecret.objects.all().delete()

    plan = call.post(f"{ROOT}/import/plan", {"yaml": text})
    made = call.post(f"{ROOT}/import", {"yaml": text, "rows": [row["row"] for row in plan.json()["rows"]]})

    assert [row["state"] for row in plan.json()["rows"]] == ["new"], plan.content
    assert made.json() == {"count": 1}, made.content
    assert ExternalSecret.objects.get().key == "prod/db"
    assert SECRET not in text


def test_a_secret_in_yaml_is_refused_and_not_repeated(call, access):
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: hunter-two}\n"

    answer = call.post(f"{ROOT}/import/plan", {"yaml": text})

    assert fields(answer) == {"yaml"}
    assert "hunter-two" not in answer.content.decode()
