"""A Google key is renewed by the console: Google tells of a use days later, so the old one is not called unused before."""

import datetime
from typing import Any

import pytest

from clusters.models import Rotation
from clusters.rotations import making, retiring, services
from credentials import services as credentials
from credentials.clouds.errors import CredentialRefused
from credentials.models import CloudCredential

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db, pytest.mark.usefixtures("google_endpoint")]


@pytest.fixture
def credential(organization: Any, admin: Any, sandbox_google: Any) -> CloudCredential:
    """A credential with a key of its own, so that the key of other tests lives on."""
    from credentials.clouds import CLOUDS

    method = CLOUDS["gcp"].method("key")
    first = {"key": sandbox_google.keys["console"]}
    facts = method.identify(first, {})
    secret, _ = method.keyring.make(method.sign_in(first, facts), facts)
    return credentials.create(
        organization=organization,
        name="gcp-prod",
        cloud="gcp",
        method="key",
        secret=secret,
        given={},
        by=admin,
    )


def works(organization: Any, secret: dict[str, str]) -> bool:
    try:
        credentials.identify(organization, "gcp", "key", secret, {})
    except CredentialRefused:
        return False
    return True


def rotated(credential: CloudCredential, admin: Any) -> Rotation:
    rotation = making.ask(credential=credential, by=admin)
    making.make(str(rotation.pk), admin.pk)
    return fresh(rotation)


def fresh(rotation: Rotation) -> Rotation:
    return Rotation.objects.select_related("credential__organization").get(pk=rotation.pk)


def test_the_console_makes_the_new_key_and_retires_the_old_one(
    organization, admin, credential, sandbox_google
):
    old = credential.secret
    rotation = rotated(credential, admin)
    both = works(organization, old), works(organization, rotation.credential.secret)
    # As if the clusters had moved four days ago, and Google had told of nothing since.
    moved = rotation.moved_at - datetime.timedelta(days=4)
    Rotation.objects.filter(pk=rotation.pk).update(moved_at=moved)
    sandbox_google.plant("faults", used_at=moved.timestamp() - 3600)

    retiring.ask(fresh(rotation))
    doubt = retiring.doubt(fresh(rotation))
    retiring.disable(rotation=fresh(rotation), by=admin)
    disabled = works(organization, old)
    retiring.delete(rotation=fresh(rotation), by=admin)

    assert both == (True, True)
    assert doubt == ""
    assert not disabled
    assert fresh(rotation).status == "done"
    assert works(organization, fresh(rotation).credential.secret)
    assert not works(organization, old)


def test_soon_after_the_move_nothing_is_proven(admin, credential, sandbox_google):
    rotation = rotated(credential, admin)
    sandbox_google.plant("faults", used_at=0)
    retiring.ask(rotation)

    told = retiring.doubt(fresh(rotation))

    at = rotation.moved_at + datetime.timedelta(days=3)
    assert told.startswith("This cloud tells of uses up to 3 days late. Ask again after ")
    assert told.endswith(f" UTC on {at.day} {at:%B}.")
    retiring.disable(rotation=fresh(rotation), by=admin)
    with pytest.raises(services.CannotBe, match="3 days late"):
        retiring.delete(rotation=fresh(rotation), by=admin)
