"""What a token of somebody whose roles are limited sees and does by the API: what is inside, and nothing else."""

import pytest

from accounts.models import Membership
from external_secrets.models import ExternalSecret
from tests import factories
from tests.api.conftest import Caller
from tests.scoping.conftest import FORBIDDEN, ROLES, make_limited

pytestmark = pytest.mark.django_db


def paths(ground):
    staging = ground.staging
    return [
        "/clusters",
        "/accesses",
        "/clusters/staging/accesses",
        "/clusters/staging/services",
        "/clusters/staging/accesses/mixed/usage",
        "/clusters/staging/accesses/mixed/targets",
        "/clusters/staging/export",
        "/external-secrets?limit=200",
        "/external-secrets?q=z",
        "/secrets?limit=200",
        "/secrets?q=z&mode=contains",
        "/secrets?state=linked",
        "/secrets?state=gone",
        "/secrets?cluster=staging&access=mixed",
        "/clusters/staging/accesses/mixed/secret?name=prod/shop/db",
        "/deploys",
        *(
            f"/external-secrets/{link.pk}"
            for links in (*staging.links.values(), *ground.other.links.values())
            for link in links
        ),
        *(
            f"/clusters/zcluster{rest}"
            for rest in ("", "/accesses", "/services", "/export", "/accesses/zcluster-aws/usage")
        ),
    ]


def asked(path):
    return path.partition("?")[0]


@pytest.mark.parametrize("kind", ["personal", "of a wider owner"])
def test_nothing_outside_is_in_any_answer(ground, limited, owner, kind):
    """A token of who is limited, and one that its owner has limited."""
    name, person = limited
    held = list(Membership.objects.get(user=person).custom_roles.all())
    whose = person if kind == "personal" else owner
    call = Caller(factories.make_token(whose, ground.organization, roles=[], custom_roles=held))

    answers = {path: call.get(path) for path in paths(ground)}

    assert answers["/external-secrets?limit=200"].json()["items"]
    assert answers["/secrets?limit=200"].json()["items"]
    assert {answer.status_code for answer in answers.values()} <= {200, 403, 404}
    for path, answer in answers.items():
        body = b"".join(answer) if answer.streaming else answer.content
        told = [word for word in FORBIDDEN[name] if word.encode() in body]
        assert told == [], (path, body[:2000])


@pytest.fixture
def call(ground):
    person = make_limited(ground.organization, *ROLES["all three"])
    held = list(Membership.objects.get(user=person).custom_roles.all())
    return Caller(factories.make_token(person, ground.organization, custom_roles=held))


def sent(ground, **changed):
    return {
        "access": "mixed", "key": "prod/shop/db", "service": str(ground.staging.services["shop"].pk),
        "container": "web", "variable": "NEW",
    } | changed  # fmt: skip


def test_what_is_inside_is_linked_changed_and_unlinked(ground, call):
    made = call.post("/clusters/staging/external-secrets", sent(ground))
    path = f"/external-secrets/{made.json()['id']}"

    changed = call("PATCH", path, {"revision": made.json()["revision"], "variable": "NEWER"})
    gone = call("DELETE", path)

    assert (made.status_code, changed.status_code, gone.status_code) == (201, 200, 204), made.content
    assert (changed.json()["variable"], changed.json()["key"]) == ("NEWER", "prod/shop/db")
    assert call.get(path).status_code == 404


@pytest.mark.parametrize(
    ("status", "field", "changed"),
    [
        (422, "key", {"key": "prod/zname-db"}),
        (422, "key", {"key": "prod/never-was"}),
        (422, "key", {"takes": "path", "key": "prod/"}),
        (422, "tags", {"takes": "tags", "key": "", "tags": {"team": "shop"}}),
        (404, "", {"service": None, "namespace": "znamespace", "container": ""}),
        (422, "access", {"access": "znamespace-only"}),
    ],
)
def test_what_is_outside_is_not_linked(ground, call, status, field, changed):
    before = ground.words

    answer = call.post("/clusters/staging/external-secrets", sent(ground, **changed))

    assert answer.status_code == status, answer.content
    assert {error["field"] for error in answer.json()["errors"]} == ({field} if field else set())
    assert ground.words == before


def test_what_is_outside_is_not_touched(ground, call):
    before = ground.words
    theirs = ground.staging.links["znamespace"][0]
    named = ground.staging.links["names"][0]
    there = str(ground.staging.services["znamespace"].pk)
    inside = str(ground.staging.links["shop"][0].pk)

    answers = [
        call("PATCH", f"/external-secrets/{theirs.pk}", {"revision": theirs.updated_at.isoformat()}),
        call("DELETE", f"/external-secrets/{theirs.pk}"),
        call("DELETE", f"/external-secrets/{named.pk}"),
        call.post(f"/external-secrets/{theirs.pk}/sync"),
        call.post("/clusters/staging/external-secrets", sent(ground, service=there)),
        call.post("/clusters/staging/external-secrets/relocate", {"ids": [inside], "service": there}),
        call.post(
            "/clusters/staging/external-secrets/relocate", {"ids": [str(theirs.pk)], "namespace": "shop"}
        ),
        call.post("/clusters/zcluster/accesses/zcluster-aws/refresh"),
        call("DELETE", "/clusters/staging/accesses/second"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404, 404, 422, 422, 422, 404, 403]
    assert ground.words == before


def test_a_move_takes_along_only_what_is_inside(ground, call):
    answer = call.post("/clusters/staging/accesses/mixed/move", {"target": "second"})

    moved = ExternalSecret.objects.filter(access=ground.staging.accesses["second"])
    assert answer.status_code == 200, answer.content
    assert answer.json()["count"] == moved.count() == 2
    assert {(link.namespace, link.key.startswith("prod/shop/")) for link in moved} == {("shop", True)}
