"""The console replaces an IAM user's access key itself: that user's alone, and only where it may."""

import datetime
import json
import uuid

import pytest

from credentials import clouds
from credentials.clouds import aws, errors
from credentials.clouds.aws import keyring, policies
from sandbox import world

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

METHOD = clouds.CLOUDS["aws"].method("static")


@pytest.fixture
def iam(sandbox_cloud, aws_endpoint):
    """The administrator's client."""
    return sandbox_cloud.client("iam", "administrator")


@pytest.fixture
def make_user(iam):
    """Return a function that makes a user with a key, and with a policy, and returns what signs in as it."""

    def make(*, allowed=True):
        name = f"deployer-{uuid.uuid4().hex[:8]}"
        arn = iam.create_user(UserName=name)["User"]["Arn"]
        if allowed:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policies.for_keys(arn))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}

    return make


def signed_in(secret, given=None):
    facts = METHOD.identify(secret, given or {"partition": "aws"})
    return METHOD.sign_in(secret, facts), facts


def test_a_key_is_replaced_from_beginning_to_end(make_user):
    """As a rotation goes: made, told apart, disabled, found out and enabled again, removed with the new one."""
    old = make_user()
    session, facts = signed_in(old)

    new, new_facts = keyring.make(session, facts)
    renewed, found = signed_in(new)
    both = keyring.keys(renewed, found)
    keyring.disable(renewed, found, old["access_key_id"])
    while_disabled = [key.active for key in keyring.keys(renewed, found)]
    with pytest.raises(errors.CredentialRefused):
        METHOD.identify(old, {"partition": "aws"})
    keyring.enable(renewed, found, old["access_key_id"])
    rolled_back = METHOD.identify(old, {"partition": "aws"})
    keyring.remove(renewed, found, old["access_key_id"])

    assert [key.id for key in both] == [old["access_key_id"], new["access_key_id"]]
    assert while_disabled == [False, True]
    assert rolled_back["arn"] == facts["arn"] == found["arn"]
    assert new_facts == found
    assert [key.id for key in keyring.keys(renewed, found)] == [new["access_key_id"]]
    with pytest.raises(errors.CredentialRefused):
        METHOD.identify(old, {"partition": "aws"})


def test_when_a_key_was_used_is_known_and_never_is_none(make_user):
    session, facts = signed_in(make_user())
    unused, _ = keyring.make(session, facts)

    own = keyring.used(session, facts, facts["key_id"])
    other = keyring.used(session, facts, unused["access_key_id"])

    assert abs(own - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)
    assert other is None


def test_what_is_gone_is_no_error_where_it_should_be_gone(make_user):
    session, facts = signed_in(make_user())
    gone = "AKIA" + "Z" * 16

    keyring.disable(session, facts, gone)
    keyring.remove(session, facts, gone)
    with pytest.raises(errors.NotThere):
        keyring.enable(session, facts, gone)

    assert len(keyring.keys(session, facts)) == 1


def test_a_third_key_is_one_too_many(make_user):
    session, facts = signed_in(make_user())
    keyring.make(session, facts)

    with pytest.raises(errors.LimitReached, match="has two access keys already") as raised:
        keyring.make(session, facts)

    assert raised.value.remedy == "Delete the one that nothing uses, then try again."


ACTS = {
    "iam:ListAccessKeys": lambda *given: keyring.keys(*given),
    "iam:CreateAccessKey": lambda *given: keyring.make(*given),
    "iam:GetAccessKeyLastUsed": lambda session, facts: keyring.used(session, facts, facts["key_id"]),
    "iam:UpdateAccessKey": lambda session, facts: keyring.disable(session, facts, facts["key_id"]),
    "iam:DeleteAccessKey": lambda session, facts: keyring.remove(session, facts, facts["key_id"]),
}


@pytest.mark.parametrize("permission", sorted(ACTS))
def test_without_permission_it_says_what_to_allow(make_user, permission):
    session, facts = signed_in(make_user(allowed=False))

    with pytest.raises(errors.PermissionMissing) as raised:
        ACTS[permission](session, facts)

    (statement,) = json.loads(raised.value.policy)["Statement"]
    assert raised.value.permission == permission
    assert set(statement["Action"]) == set(ACTS)
    assert statement["Resource"] == facts["arn"]


def test_somebody_elses_keys_stay_out_of_reach(make_user):
    session, _ = signed_in(make_user())
    _, other = signed_in(make_user())

    for act in ACTS.values():
        with pytest.raises(errors.PermissionMissing):
            act(session, other)


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        (f"arn:aws:iam::{world.ACCOUNT}:root", "the account's root user"),
        (f"arn:aws:sts::{world.ACCOUNT}:assumed-role/admin/jo", "temporary keys of a role"),
        (f"arn:aws:sts::{world.ACCOUNT}:federated-user/jo", "temporary keys of a role"),
    ],
)
@pytest.mark.parametrize("permission", sorted(ACTS))
def test_other_identities_have_no_keys_to_replace(permission, arn, said):
    keys = aws.Keys("AKIA" + "Z" * 16, "z" * 40)

    with pytest.raises(errors.NotPossibleHere, match=said):
        ACTS[permission](keys, {"partition": "aws", "arn": arn, "key_id": "x"})


def test_a_user_with_a_path_is_named_without_it():
    assert keyring.user_of({"arn": "arn:aws:iam::123456789012:user/ci/keyhaven"}) == "keyhaven"


class TestAge:
    def test_it_is_learned_where_the_user_may_know(self, make_user):
        _, facts = signed_in(make_user())

        age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(facts["made"])
        assert age < datetime.timedelta(minutes=1)

    def test_it_is_left_out_where_not(self, make_user):
        _, facts = signed_in(make_user(allowed=False))

        assert "made" not in facts

    def test_what_was_known_of_a_key_stays_with_that_key(self, make_user):
        secret, other = make_user(allowed=False), make_user(allowed=False)
        told = {"partition": "aws", "key_id": secret["access_key_id"], "made": "2026-01-02T03:04:05+00:00"}

        assert signed_in(secret, told)[1]["made"] == told["made"]
        assert "made" not in signed_in(other, told)[1]
