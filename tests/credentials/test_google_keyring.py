"""Keys of a service account are made, disabled and deleted by the console itself, and really begin and cease to work."""

import datetime
import json
import logging
from typing import Any

import pytest
from django.utils import timezone

from credentials import clouds, services
from credentials.clouds import errors
from credentials.clouds import google as cloud
from credentials.clouds.base import Keyring
from credentials.clouds.google import keyring
from sandbox import world

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("google_endpoint")]

EMAIL = f"{world.GOOGLE_CONSOLE}@{world.GOOGLE_CLUSTERS}.iam.gserviceaccount.com"
METHOD = clouds.CLOUDS["gcp"].method("key")
RING: Keyring = METHOD.keyring


@pytest.fixture
def identity(sandbox_google: Any) -> Any:
    """The console's service account: what signs in as it, and its facts."""
    secret = {"key": sandbox_google.keys["console"]}
    facts = METHOD.identify(secret, {})
    session = METHOD.sign_in(secret, facts)
    return session, facts


def works(secret: dict[str, str]) -> bool:
    try:
        METHOD.identify(secret, {})
    except errors.CredentialRefused:
        return False
    return True


def test_a_new_key_signs_in_and_is_listed(identity):
    session, facts = identity

    secret, made = RING.make(session, facts)

    assert works(secret)
    assert made["email"] == EMAIL
    assert made["key_id"] == json.loads(secret["key"])["private_key_id"] != facts["key_id"]
    assert {one.id: one.active for one in RING.keys(session, facts)} == {
        facts["key_id"]: True,
        made["key_id"]: True,
    }
    assert "BEGIN PRIVATE KEY" not in json.dumps(made)


def test_a_disabled_key_ceases_to_work_and_comes_back(identity):
    session, facts = identity
    secret, made = RING.make(session, facts)

    RING.disable(session, facts, made["key_id"])
    disabled = works(secret), {one.id: one.active for one in RING.keys(session, facts)}[made["key_id"]]
    RING.enable(session, facts, made["key_id"])

    assert disabled == (False, False)
    assert works(secret)


def test_a_deleted_key_is_gone_for_good_and_again_is_no_error(identity):
    session, facts = identity
    secret, made = RING.make(session, facts)

    RING.remove(session, facts, made["key_id"])
    RING.remove(session, facts, made["key_id"])
    RING.disable(session, facts, made["key_id"])

    assert not works(secret)
    assert [one.id for one in RING.keys(session, facts)] == [facts["key_id"]]
    with pytest.raises(errors.NotThere):
        RING.enable(session, facts, made["key_id"])


def test_the_new_key_retires_the_old_one(identity):
    session, facts = identity
    secret, made = RING.make(session, facts)
    old, _ = RING.make(session, facts)
    new = METHOD.sign_in(secret, made)

    RING.remove(new, made, json.loads(old["key"])["private_key_id"])

    assert not works(old)
    assert works(secret)


def test_when_a_key_was_used_is_told(identity):
    session, facts = identity
    secret, made = RING.make(session, facts)

    never = RING.used(session, facts, made["key_id"])
    works(secret)
    just_now = RING.used(session, facts, made["key_id"])

    assert never is None
    assert timezone.now() - just_now < datetime.timedelta(minutes=1)


def test_who_may_not_ask_when_a_key_was_used_is_told_why(sandbox_google):
    secret = {"key": sandbox_google.keys["reader"]}
    facts = METHOD.identify(secret, {})

    with pytest.raises(errors.NotPossibleHere, match="does not tell when a key was used") as refused:
        RING.used(METHOD.sign_in(secret, facts), facts, facts["key_id"])

    assert keyring.USED in refused.value.reason


@pytest.mark.parametrize(
    ("act", "permission"),
    [
        (lambda *given: RING.keys(*given), "list"),
        (lambda *given: RING.make(*given), "create"),
        (lambda session, facts: RING.disable(session, facts, facts["key_id"]), "disable"),
        (lambda session, facts: RING.enable(session, facts, facts["key_id"]), "enable"),
        (lambda session, facts: RING.remove(session, facts, facts["key_id"]), "delete"),
    ],
)
def test_an_identity_that_may_not_is_told_what_it_lacks(sandbox_google, act, permission):
    secret = {"key": sandbox_google.keys["reader"]}
    facts = METHOD.identify(secret, {})

    with pytest.raises(errors.PermissionMissing) as refused:
        act(METHOD.sign_in(secret, facts), facts)

    assert refused.value.permission == f"iam.serviceAccountKeys.{permission}"
    assert works(secret)


def test_an_organization_that_forbids_keys_is_told(identity, sandbox_google):
    sandbox_google.plant("faults", no_keys=True)

    with pytest.raises(errors.ProviderError, match="makes no more keys") as refused:
        RING.make(*identity)

    assert "workload identity federation" in refused.value.remedy


def test_the_age_of_a_key_is_a_fact_where_google_tells_it(identity, sandbox_google):
    _, facts = identity
    untold = METHOD.identify({"key": sandbox_google.keys["reader"]}, {})

    made = datetime.datetime.fromisoformat(facts["made"])
    assert timezone.now() - made < datetime.timedelta(hours=1)
    assert "expires" not in facts
    assert "made" not in untold


@pytest.mark.django_db
def test_the_age_becomes_a_column(identity, organization, admin, sandbox_google):
    stored = services.create(
        organization=organization, name="gcp-prod", cloud="gcp", method="key",
        secret={"key": sandbox_google.keys["console"]}, given={}, by=admin,
    )  # fmt: skip

    assert stored.made_at == datetime.datetime.fromisoformat(identity[1]["made"])
    assert stored.rotate_at == stored.made_at + datetime.timedelta(days=stored.rotate_days)


def test_no_key_is_in_a_log(identity, caplog):
    with caplog.at_level(logging.DEBUG):
        secret, _ = RING.make(*identity)

    private = json.loads(secret["key"])["private_key"]
    assert private.splitlines()[1] not in caplog.text
    assert "privateKeyData" not in caplog.text


def test_a_name_that_leads_elsewhere_is_refused(identity):
    session, facts = identity

    with pytest.raises(errors.NotThere):
        RING.used(session, facts, "../../x")
    with pytest.raises(errors.NotPossibleHere):
        RING.keys(session, facts | {"email": "../x"})


def test_what_it_needs_is_granted_on_itself_alone(identity):
    text = RING.policy(identity[1])

    assert f"service-accounts add-iam-policy-binding {EMAIL} \\\n" in text
    assert f"--permissions={','.join(keyring.PERMISSIONS)}" in text
    assert "roles/iam." not in text
    assert cloud.EMAIL.search(text)
