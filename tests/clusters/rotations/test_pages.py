"""The pages of a rotation: who sees and does what, mistakes beside their fields, no value in a page."""

import datetime
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Membership
from clusters.models import Deploy, Rotation
from clusters.rotations import making, moving, retiring, services
from tests import factories
from tests.clusters.rotations.conftest import ran

pytestmark = pytest.mark.django_db


def url(name: str, credential: Any, rotation: Any = None) -> str:
    kwargs = {"org": "acme", "credential": credential.name}
    return reverse(f"clusters:{name}", kwargs=kwargs | ({"rotation": rotation.pk} if rotation else {}))


def text(response: Any) -> str:
    return str(response.content.decode())


@pytest.fixture
def second(user):
    return user.make_key()


@pytest.fixture
def rotation(credential, prod, second, admin):
    return services.begin(credential=credential, secret=second, given={"partition": "aws"}, by=admin)


@pytest.fixture
def confirming(rotation, prod, monkeypatch):
    monkeypatch.setattr(retiring, "GRACE", datetime.timedelta(0))
    ran(prod)
    moving.settle_all()
    rotation.refresh_from_db()
    return rotation


class TestBeginning:
    def test_only_what_is_secret_is_asked_for(self, credential, admin, sign_in):
        page = sign_in(admin).get(url("rotate", credential))

        assert [one.name for one in page.context["fields"]] == [
            "access_key_id",
            "secret_access_key",
            "session_token",
            "ends_on",
        ]
        assert "iam:CreateAccessKey" in text(page)
        assert "Let Keyhaven make the key" in text(page)

    def test_a_new_key_begins_it(self, credential, prod, second, admin, sign_in):
        answer = sign_in(admin).post(url("rotate", credential), second)

        rotation = Rotation.objects.get()
        assert answer.headers["Location"] == url("rotation", credential, rotation)
        page = sign_in(admin).get(answer.headers["Location"])
        assert "Waits for a deploy" in text(page)
        assert second["access_key_id"] in text(page)
        assert second["secret_access_key"] not in text(page)

    def test_wrong_values_are_said_and_nothing_is_kept(self, credential, second, admin, sign_in):
        sent = second | {"secret_access_key": "w" * 40}

        page = sign_in(admin).post(url("rotate", credential), sent)

        assert page.status_code == 422
        assert "Nothing was changed. AWS does not accept these keys." in text(page)
        assert "w" * 40 not in text(page)
        assert not Rotation.objects.exists()

    def test_a_key_of_somebody_else_has_to_be_meant(self, credential, sandbox_cloud, admin, sign_in):
        key_id, secret = sandbox_cloud.keys["reader"]
        sent = {"access_key_id": key_id, "secret_access_key": secret}

        page = sign_in(admin).post(url("rotate", credential), sent)
        meant = sign_in(admin).post(url("rotate", credential), sent | {"other_identity": "on"})

        assert page.status_code == 422
        assert 'name="other_identity"' in text(page)
        assert meant.status_code == 302

    def test_what_is_public_cannot_be_changed_by_the_way(self, credential, second, admin, sign_in):
        sign_in(admin).post(url("rotate", credential), second | {"partition": "aws-cn"})

        credential.refresh_from_db()
        assert credential.facts["partition"] == "aws"

    def test_the_console_makes_the_key(
        self, credential, user, admin, sign_in, messages, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks(execute=True):
            answer = sign_in(admin).post(url("rotate", credential), {"wish": "make"})
        waiting = sign_in(admin).get(answer.headers["Location"])
        making.make(**messages[0])
        made = sign_in(admin).get(answer.headers["Location"])

        assert 'hx-trigger="every 2s"' in text(waiting)
        assert 'hx-trigger="every 2s"' not in text(made)
        assert len(user.statuses()) == 2

    def test_what_it_lacks_is_said_with_the_policy(self, credential, user, admin, sign_in):
        user.allow()

        page = sign_in(admin).post(url("rotate", credential), {"wish": "make"})

        assert page.status_code == 422
        assert "The identity lacks iam:ListAccessKeys." in text(page)
        assert "Enter a key that you made" in text(page)

    def test_one_that_is_open_is_shown_instead(self, rotation, credential, owner, sign_in):
        for answer in (
            sign_in(owner).get(url("rotate", credential)),
            sign_in(owner).post(url("rotate", credential), {"wish": "make"}),
        ):
            assert answer.headers["Location"] == url("rotation", credential, rotation)

    def test_without_a_key_there_is_nothing_to_rotate(self, organization, admin, sign_in):
        keyless = factories.make_cloud_credential(organization=organization, method="role", secret={})

        page = sign_in(admin).get(url("rotate", keyless))

        assert "There is nothing to rotate" in text(page)


class TestOnItsWay:
    def test_all_are_deployed_by_who_may(self, rotation, credential, devops, sign_in, messages):
        page = sign_in(devops).get(url("rotation", credential, rotation))
        answer = sign_in(devops).post(url("rotation_deploy", credential, rotation))
        shown = sign_in(devops).get(url("rotation", credential, rotation))

        assert "Deploy all" in text(page)
        assert 'id="take-back"' in text(page)
        assert answer.status_code == 302
        assert Deploy.objects.get(status="queued").by == devops
        assert "waits for a worker" in text(shown)

    def test_a_viewer_sees_it_and_does_nothing(self, rotation, credential, viewer, sign_in):
        client = sign_in(viewer)

        page = client.get(url("rotation", credential, rotation))
        acts = [
            client.post(url(name, credential, rotation)).status_code
            for name in ("rotation_deploy", "rotation_retire", "rotation_take_back", "rotation_ask")
        ]

        assert page.status_code == 200
        assert "Deploy all" not in text(page)
        assert "Take the rotation back" not in text(page)
        assert acts == [403, 403, 403, 403]

    def test_clusters_outside_of_a_role_are_only_counted(
        self, rotation, credential, prod, organization, admin, sign_in, messages
    ):
        person = factories.make_member(organization, "viewer")
        limited = factories.make_role(
            organization, permissions=["cluster:view", "deploy:run"], clusters=["staging-*"]
        )
        seeing = factories.make_role(organization, permissions=["credential:view"])
        membership = Membership.objects.get(user=person)
        membership.roles = []
        membership.save()
        membership.custom_roles.set([limited, seeing])

        page = sign_in(person).get(url("rotation", credential, rotation))
        sign_in(person).post(url("rotation_deploy", credential, rotation), {"cluster": "prod"})

        assert ">prod<" not in text(page)
        assert "1 more" in text(page)
        assert not Deploy.objects.filter(status="queued").exists()

    def test_a_failed_cluster_says_why_and_may_be_tried_again(
        self, rotation, credential, prod, devops, sign_in
    ):
        ran(prod, "failed")

        page = sign_in(devops).get(url("rotation", credential, rotation))

        assert "The API server is away." in text(page)
        assert "Retry" in text(page)

    def test_the_page_asks_for_its_part_alone(self, rotation, credential, devops, sign_in):
        part = sign_in(devops).get(url("rotation", credential, rotation), headers={"HX-Request": "true"})

        assert text(part).strip().startswith('<div class="stack" id="rotation-live"')


class TestTheEnd:
    def test_disabled_then_deleted_by_name(self, confirming, credential, user, second, admin, sign_in):
        client = sign_in(admin)
        client.post(url("rotation_ask", credential, confirming))
        client.post(url("rotation_retire", credential, confirming), {"wish": "disable"})
        wrong = client.post(
            url("rotation_retire", credential, confirming), {"wish": "delete", "name": "another"}
        )
        kept = user.statuses()
        client.post(
            url("rotation_retire", credential, confirming), {"wish": "delete", "name": credential.name}
        )

        assert wrong.status_code == 422
        assert "This credential is called aws-prod." in text(wrong)
        assert len(kept) == 2
        assert user.statuses() == {second["access_key_id"]: "Active"}
        assert "Done" in text(client.get(url("rotation", credential, confirming)))

    def test_a_use_since_is_said_and_has_to_be_overridden(self, confirming, credential, user, admin, sign_in):
        Rotation.objects.update(moved_at=timezone.now() - datetime.timedelta(hours=1), old="disabled")
        client = sign_in(admin)
        client.post(url("rotation_ask", credential, confirming))

        page = client.get(url("rotation", credential, confirming))
        refused = client.post(
            url("rotation_retire", credential, confirming), {"wish": "delete", "name": credential.name}
        )
        kept = user.statuses()
        client.post(
            url("rotation_retire", credential, confirming),
            {"wish": "delete", "name": credential.name, "override": "on"},
        )

        assert "The old key was used since" in text(page)
        assert refused.status_code == 422
        assert len(kept) == 2
        assert len(user.statuses()) == 1

    def test_by_hand_it_has_to_be_said(self, confirming, credential, admin, sign_in):
        client = sign_in(admin)

        unsaid = client.post(url("rotation_retire", credential, confirming), {"wish": "removed"})
        client.post(url("rotation_retire", credential, confirming), {"wish": "removed", "removed": "on"})

        assert unsaid.status_code == 422
        confirming.refresh_from_db()
        assert (confirming.status, confirming.old) == ("done", "by hand")

    def test_what_the_cloud_refuses_is_said(self, confirming, credential, user, admin, sign_in):
        user.allow()

        page = sign_in(admin).post(url("rotation_retire", credential, confirming), {"wish": "disable"})

        assert page.status_code == 422
        assert "The identity lacks iam:UpdateAccessKey." in text(page)

    def test_taken_back(self, rotation, credential, user, admin, sign_in):
        answer = sign_in(admin).post(url("rotation_take_back", credential, rotation))

        credential.refresh_from_db()
        page = sign_in(admin).get(answer.headers["Location"])
        assert credential.secret == user.first
        assert "Taken back" in text(page)
        seen = text(sign_in(admin).get(url("rotation", credential, rotation)))
        assert "has its old values again" in seen
        assert "the console signs in with the old values" in seen
        assert "The console signs in with it now" not in seen

    def test_an_unknown_wish_does_nothing(self, confirming, credential, admin, sign_in):
        page = sign_in(admin).post(url("rotation_retire", credential, confirming), {"wish": "explode"})

        assert page.status_code == 422

    def test_no_page_and_no_session_holds_a_value(
        self, confirming, credential, user, second, admin, sign_in, caplog
    ):
        client = sign_in(admin)
        pages = [
            text(client.get(url(name, credential, confirming if name != "rotate" else None)))
            for name in ("rotation", "rotate")
        ]
        session = str(dict(client.session.items()))

        for secret in (user.first["secret_access_key"], second["secret_access_key"]):
            assert secret not in "".join(pages) + session + caplog.text


def test_the_page_asks_a_constant_number_of_queries(
    rotation, credential, organization, admin, sign_in, django_assert_max_num_queries, messages
):
    client = sign_in(admin)
    client.get(url("rotation", credential, rotation))
    from clusters.models import Move

    for number in range(40):
        cluster = factories.make_cluster(
            organization=organization, name=f"many-{number}", credential=credential
        )
        Move.objects.create(rotation=rotation, cluster=cluster, generation=9)

    with django_assert_max_num_queries(25):
        page = client.get(url("rotation", credential, rotation))

    assert text(page).count("Waits for a deploy") == 41
