"""A rotation by hand or by the console, over rows: what it refuses, what it keeps, how it ends, how it is taken back."""

import datetime
import time
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from clusters.models import Cluster, Deploy, Rotation
from clusters.rotations import making, moving, retiring, services, sweeps, undoing
from credentials import services as credentials
from credentials.clouds.errors import CredentialRefused, PermissionMissing
from tests import factories
from tests.clusters.rotations.conftest import KEYS, ran

pytestmark = pytest.mark.django_db
GIVEN = {"partition": "aws"}


def begin(credential: Any, secret: dict[str, str], by: Any, **more: Any) -> Rotation:
    return services.begin(credential=credential, secret=secret, given=GIVEN, by=by, **more)


def fresh(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


def told(prefix: str = "rotation.") -> list[str]:
    found = AuditEvent.objects.filter(action__startswith=prefix).order_by("sequence")
    return [event.action for event in found]


@pytest.fixture
def second(user):
    return user.make_key()


@pytest.fixture
def confirming(credential, prod, second, admin, monkeypatch):
    """A rotation whose one cluster has moved; the cloud tells of uses at once."""
    monkeypatch.setattr(retiring, "GRACE", datetime.timedelta(0))
    rotation = begin(credential, second, admin)
    ran(prod)
    moving.settle_all()
    return fresh(rotation)


class TestBeginning:
    def test_new_values_are_stored_with_what_they_replace(self, credential, prod, second, user, admin):
        rotation = begin(credential, second, admin)

        credential.refresh_from_db()
        prod.refresh_from_db()
        assert credential.secret == second
        assert credential.facts["key_id"] == second["access_key_id"]
        assert rotation.old_secret == user.first
        assert rotation.status == "moving"
        assert prod.drift == "out of date"
        assert rotation.moves.get().generation == prod.generation
        assert told() == ["rotation.started"]

    def test_wrong_values_change_nothing(self, credential, prod, second, user, admin):
        with pytest.raises(CredentialRefused):
            begin(credential, second | {"secret_access_key": "w" * 40}, admin)

        assert fresh(credential).secret == user.first
        assert not Rotation.objects.exists()
        assert fresh(prod).drift == "up to date"

    def test_the_key_that_is_stored_is_no_new_one(self, credential, user, admin):
        with pytest.raises(services.CannotBe, match="stored already"):
            begin(credential, user.first, admin)

    def test_a_key_of_another_identity_has_to_be_meant(self, credential, sandbox_cloud, admin):
        other = sandbox_cloud.keys["reader"]
        secret = {"access_key_id": other[0], "secret_access_key": other[1]}

        with pytest.raises(services.OtherIdentity, match="user/reader"):
            begin(credential, secret, admin)
        rotation = begin(credential, secret, admin, other_identity=True)

        assert retiring.keyring_of(fresh(rotation)) is None

    def test_a_key_of_another_account_is_refused_while_it_is_used(
        self, credential, prod, sandbox_cloud, admin
    ):
        key_id, secret = sandbox_cloud.keys["foreigner"]

        with pytest.raises(credentials.InUse, match="of the account"):
            begin(
                credential, {"access_key_id": key_id, "secret_access_key": secret}, admin, other_identity=True
            )

        assert not Rotation.objects.exists()

    def test_the_second_of_two_people_is_told_so(self, credential, prod, user, second, admin, owner):
        stale = fresh(credential)
        begin(credential, second, admin)

        with pytest.raises(services.Open, match=str(admin)):
            begin(stale, user.first, owner)

    def test_the_database_lets_a_credential_have_one(self, credential, admin):
        services.open_one(credential, admin, status=Rotation.Status.MOVING)

        with pytest.raises(services.Open, match="a moment ago"):
            services.open_one(credential, admin, status=Rotation.Status.MOVING)

    def test_without_a_cluster_that_ever_deployed_nothing_has_to_move(self, credential, second, admin):
        factories.make_cluster(organization=credential.organization, credential=credential)

        rotation = begin(credential, second, admin)

        assert rotation.moves.get().moved_at is not None
        assert fresh(rotation).status == "confirming"

    def test_meanwhile_the_credential_is_neither_changed_nor_deleted(self, credential, second, user, admin):
        begin(credential, second, admin)
        live = fresh(credential)

        with pytest.raises(credentials.Rotating):
            credentials.change(
                credential=live, name="x", secret=user.first, given=GIVEN, seen_version=live.version, by=admin
            )
        with pytest.raises(credentials.InUse, match="being rotated"):
            credentials.delete(credential=live, by=admin)


class TestMoving:
    def test_a_cluster_has_moved_once_a_deploy_carried_the_new_values(self, credential, prod, second, admin):
        rotation = begin(credential, second, admin)
        before = [state.word for state in moving.states(rotation)]
        ran(prod, "failed")
        moving.settle_all()
        failed = [(state.word, state.deploy.error) for state in moving.states(rotation)]
        ran(prod)
        moving.settle_all()

        assert before == ["waiting"]
        assert failed == [("failed", "The API server is away.")]
        assert [state.word for state in moving.states(fresh(rotation))] == ["moved"]
        assert fresh(rotation).status == "confirming"
        assert told()[-1] == "rotation.cluster_moved"

    def test_a_deploy_that_began_before_is_not_enough(self, credential, prod, second, admin):
        early = ran(prod, "running")
        Deploy.objects.filter(pk=early.pk).update(finished_at=None)
        rotation = begin(credential, second, admin)
        Deploy.objects.filter(pk=early.pk).update(status="succeeded", finished_at=timezone.now())
        Cluster.objects.filter(pk=prod.pk).update(deployed_generation=early.generation)

        moving.settle_all()

        assert fresh(rotation).status == "moving"

    def test_deploys_are_asked_for_where_they_may_be(self, credential, prod, second, admin, messages):
        spare = factories.make_cluster(organization=prod.organization, name="spare", credential=credential)
        ran(spare)
        rotation = begin(credential, second, admin)

        asked = moving.deploy(rotation=rotation, by=admin, may=lambda name: name == "prod")

        assert asked.clusters == ["prod"]
        assert Deploy.objects.get(status="queued").reason == "Rotation of aws-prod"
        assert {state.name: state.word for state in moving.states(rotation)} == {
            "prod": "deploying",
            "spare": "waiting",
        }

    def test_one_that_cannot_be_asked_for_keeps_none_of_the_others(
        self, credential, prod, second, admin, messages
    ):
        spare = factories.make_cluster(organization=prod.organization, name="spare", credential=credential)
        ran(spare)
        Deploy.objects.create(cluster=prod, number=9, by_name="x", kind="uninstall")
        rotation = begin(credential, second, admin)

        asked = moving.deploy(rotation=rotation, by=admin, may=lambda name: True)

        assert asked.clusters == ["spare"]
        assert asked.problems[0].startswith("prod: Something is about to be removed there")

    def test_a_cluster_that_is_disconnected_is_not_waited_for(self, credential, prod, second, admin):
        rotation = begin(credential, second, admin)
        prod.delete()

        moving.settle_all()

        assert fresh(rotation).status == "confirming"


class TestRetiring:
    def test_disabled_enabled_disabled_deleted(self, confirming, user, second, admin):
        retiring.ask(confirming)
        retiring.disable(rotation=confirming, by=admin)
        disabled = user.statuses()
        retiring.enable(rotation=confirming, by=admin)
        enabled = user.statuses()
        retiring.disable(rotation=confirming, by=admin)
        retiring.delete(rotation=confirming, by=admin)

        old, new = user.first["access_key_id"], second["access_key_id"]
        assert disabled == {old: "Inactive", new: "Active"}
        assert enabled == {old: "Active", new: "Active"}
        assert user.statuses() == {new: "Active"}
        over = fresh(confirming)
        assert (over.status, over.old, over.old_secret, over.ended_by) == (
            "done",
            "deleted",
            None,
            str(admin),
        )
        assert told()[-5:] == [
            "rotation.old_disabled",
            "rotation.old_enabled",
            "rotation.old_disabled",
            "rotation.old_deleted",
            "rotation.finished",
        ]

    def test_nothing_is_disabled_before_all_have_moved(self, credential, prod, second, user, admin):
        rotation = begin(credential, second, admin)

        with pytest.raises(services.CannotBe, match="Not all clusters"):
            retiring.disable(rotation=rotation, by=admin)

        assert user.works(user.first)

    def test_what_is_not_disabled_is_not_deleted(self, confirming, user, admin):
        with pytest.raises(services.CannotBe, match="another state"):
            retiring.delete(rotation=confirming, by=admin)

        assert len(user.statuses()) == 2

    def test_soon_after_the_last_move_the_cloud_does_not_know_yet(self, confirming, user, admin, monkeypatch):
        monkeypatch.setattr(retiring, "GRACE", datetime.timedelta(minutes=15))
        retiring.disable(rotation=confirming, by=admin)

        with pytest.raises(services.CannotBe, match="some minutes late"):
            retiring.delete(rotation=fresh(confirming), by=admin)

        assert len(user.statuses()) == 2
        assert fresh(confirming).status == "confirming"

    def test_a_key_that_was_used_since_is_deleted_only_if_that_is_said(self, confirming, user, admin):
        # AWS tells uses to the second.
        time.sleep(1.1)
        user.works(user.first)
        retiring.disable(rotation=confirming, by=admin)

        with pytest.raises(services.CannotBe, match="was used after"):
            retiring.delete(rotation=confirming, by=admin)
        kept = len(user.statuses())
        retiring.delete(rotation=confirming, by=admin, override=True)

        assert kept == 2
        assert len(user.statuses()) == 1
        assert AuditEvent.objects.get(action="rotation.old_deleted").details["override"] is True

    def test_without_the_permission_a_person_removes_it(self, confirming, user, admin):
        user.allow()

        with pytest.raises(PermissionMissing):
            retiring.disable(rotation=confirming, by=admin)
        asked = retiring.ask(confirming)
        retiring.by_hand(rotation=confirming, by=admin)

        assert "iam:GetAccessKeyLastUsed" in asked.error
        assert (fresh(confirming).status, fresh(confirming).old) == ("done", "by hand")


class TestTakingBack:
    def test_before_any_cluster_took_the_new_key_it_is_over(self, credential, prod, second, user, admin):
        rotation = begin(credential, second, admin)

        on = undoing.take_back(rotation=rotation, by=admin)

        assert (on.pk, fresh(rotation).status, fresh(rotation).old_secret) == (rotation.pk, "undone", None)
        assert fresh(credential).secret == user.first
        assert fresh(credential).rotation is None
        # Keyhaven did not make it, and does not remove it.
        assert second["access_key_id"] in user.statuses()

    def test_clusters_that_moved_move_back_and_the_new_key_is_retired_then(
        self, credential, prod, second, user, admin
    ):
        spare = factories.make_cluster(organization=prod.organization, name="spare", credential=credential)
        ran(spare)
        rotation = begin(credential, second, admin)
        ran(prod)
        moving.settle_all()

        back = undoing.take_back(rotation=fresh(rotation), by=admin)

        assert fresh(rotation).status == "undone"
        assert fresh(credential).secret == user.first
        assert {move.cluster.name: move.moved_at is None for move in back.moves.all()} == {
            "prod": True,
            "spare": False,
        }
        assert (back.old_secret, services.key_of(back.old_facts)) == (second, second["access_key_id"])
        assert fresh(prod).drift == "out of date"

    def test_a_deploy_that_failed_may_have_brought_the_new_key(self, credential, prod, second, admin):
        rotation = begin(credential, second, admin)
        ran(prod, "failed")

        back = undoing.take_back(rotation=rotation, by=admin)

        assert back.pk != rotation.pk
        assert back.moves.get().moved_at is None

    def test_a_disabled_key_is_enabled_first(self, confirming, credential, user, admin):
        retiring.disable(rotation=confirming, by=admin)

        undoing.take_back(rotation=confirming, by=admin)

        assert user.works(user.first)
        assert fresh(credential).secret == user.first

    def test_when_the_old_key_is_gone_everything_stays(self, credential, prod, second, user, admin):
        rotation = begin(credential, second, admin)
        user.iam.delete_access_key(UserName=user.name, AccessKeyId=user.first["access_key_id"])

        with pytest.raises(CredentialRefused):
            undoing.take_back(rotation=rotation, by=admin)

        assert fresh(credential).secret == second
        assert fresh(rotation).status == "moving"

    def test_what_is_over_is_not_taken_back(self, confirming, admin):
        retiring.by_hand(rotation=confirming, by=admin)

        with pytest.raises(services.CannotBe, match="nothing to take back"):
            undoing.take_back(rotation=confirming, by=admin)


class TestMadeByTheConsole:
    @pytest.fixture
    def ask(self, credential, admin, messages, django_capture_on_commit_callbacks):
        def act() -> Rotation:
            with django_capture_on_commit_callbacks(execute=True):
                return making.ask(credential=credential, by=admin)

        return act

    def test_a_worker_makes_tests_and_stores_it(self, ask, prod, credential, user, admin, messages):
        rotation = ask()
        making.make(**messages[0])

        made = fresh(rotation)
        assert messages == [{"rotation_id": str(rotation.pk), "user_id": admin.pk}]
        assert (made.status, made.made_here, made.old_secret) == ("moving", True, user.first)
        assert fresh(credential).facts["key_id"] == made.new_facts["key_id"]
        assert user.works(fresh(credential).secret)
        assert user.works(user.first)
        assert told() == ["rotation.started", "rotation.key_made"]

    def test_a_message_that_comes_twice_makes_one_key(self, ask, user, messages):
        ask()
        making.make(**messages[0])
        making.make(**messages[0])

        assert len(user.statuses()) == 2

    def test_what_is_not_permitted_is_said_before_anything_begins(self, credential, user, admin):
        user.allow()

        with pytest.raises(PermissionMissing) as error:
            making.ask(credential=credential, by=admin)

        assert "iam:" in error.value.permission
        assert not Rotation.objects.exists()

    def test_a_key_that_may_not_be_made_ends_the_rotation_with_the_reason(self, ask, user, messages):
        user.allow("iam:ListAccessKeys")
        rotation = ask()

        making.make(**messages[0])

        over = fresh(rotation)
        assert over.status == "undone"
        assert "iam:CreateAccessKey" in over.error
        assert told()[-1] == "rotation.key_failed"

    def test_who_may_no_longer_rotate_has_no_key_made(self, ask, admin, user, messages):
        rotation = ask()
        admin.memberships.update(roles=["viewer"])

        making.make(**messages[0])

        assert "may no longer" in fresh(rotation).error
        assert len(user.statuses()) == 1

    def test_a_worker_that_is_killed_between_making_and_storing_leaves_no_key(
        self, ask, user, credential, messages, monkeypatch
    ):
        rotation = ask()

        def die(*_: Any) -> None:
            raise SystemExit

        monkeypatch.setattr(making, "_until_known", die)
        with pytest.raises(SystemExit):
            making.make(**messages[0])
        left = len(user.statuses())
        early = making.sweep_lost()
        _age(rotation)
        sweeps.sweep()

        assert (left, early) == (2, 0)
        assert user.statuses() == {user.first["access_key_id"]: "Active"}
        assert fresh(rotation).status == "undone"
        assert fresh(credential).secret == user.first
        assert told()[-2:] == ["rotation.key_failed", "rotation.key_removed"]

    def test_a_worker_that_is_killed_before_it_notes_the_key_leaves_none_either(
        self, ask, user, messages, monkeypatch
    ):
        rotation = ask()
        note = making._note

        def die(row: Any, facts: dict[str, str]) -> None:
            if "key_id" in facts:
                raise SystemExit
            note(row, facts)

        monkeypatch.setattr(making, "_note", die)
        with pytest.raises(SystemExit):
            making.make(**messages[0])
        left = len(user.statuses())
        _age(rotation)
        making.sweep_lost()

        assert left == 2
        assert user.statuses() == {user.first["access_key_id"]: "Active"}

    def test_a_key_that_may_not_be_removed_is_named(self, ask, user, messages, monkeypatch):
        rotation = ask()
        user.allow(*(word for word in KEYS if "Delete" not in word))

        def refuse(*_: Any) -> None:
            raise CredentialRefused("The cloud does not know the new key.")

        monkeypatch.setattr(making, "_until_known", refuse)
        making.make(**messages[0])

        made = next(key for key in user.statuses() if key != user.first["access_key_id"])
        assert f"remove {made}: delete it in the cloud by hand" in fresh(rotation).error

    def test_taken_back_the_key_is_removed_again(self, ask, prod, user, credential, messages, admin):
        rotation = ask()
        making.make(**messages[0])

        undoing.take_back(rotation=fresh(rotation), by=admin)

        assert user.statuses() == {user.first["access_key_id"]: "Active"}
        assert fresh(credential).secret == user.first


def _age(rotation: Rotation) -> None:
    ago = timezone.now() - datetime.timedelta(hours=1)
    Rotation.objects.filter(pk=rotation.pk).update(started_at=ago)
    Rotation.objects.filter(pk=rotation.pk).exclude(old_asked_at=None).update(old_asked_at=ago)


class TestReminders:
    def test_a_key_that_is_old_is_told_of_once(self, credential):
        assert sweeps.remind() == 0
        ago = timezone.now() - datetime.timedelta(days=91)
        type(credential).objects.update(set_at=ago, made_at=ago)

        assert (sweeps.remind(), sweeps.remind()) == (1, 0)

        event = AuditEvent.objects.get(action="credential.rotation_due")
        assert (event.target_name, event.details["days"]) == ("aws-prod", 91)

    def test_one_that_ends_is_told_of_two_weeks_before(self, credential):
        soon = timezone.now() + datetime.timedelta(days=13)
        type(credential).objects.update(rotate_days=None, expires_at=soon)

        assert sweeps.remind() == 1

    def test_one_that_is_being_rotated_or_has_no_reminder_is_not(self, credential, second, admin):
        begin(credential, second, admin)
        type(credential).objects.update(made_at=timezone.now() - datetime.timedelta(days=500))
        factories.make_cloud_credential(
            organization=credential.organization, set_at=timezone.now() - datetime.timedelta(days=500)
        )

        assert sweeps.remind() == 0
