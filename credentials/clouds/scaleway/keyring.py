"""The API keys of an application or a user, made and deleted by the console itself where it may manage IAM."""

import contextlib
import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.views.decorators.debug import sensitive_variables

from credentials.clouds import errors
from credentials.clouds.base import Facts, Key, Keyring, Secret
from credentials.clouds.scaleway import asking, policies
from credentials.clouds.scaleway.asking import Identity
from credentials.clouds.scaleway.form import told

_PATH = "/iam/v1alpha1/api-keys"
_NO_SWITCH = errors.NotPossibleHere(
    "Scaleway cannot switch an API key off: there is only deleting it.",
    "See in each cluster that the new key works, then delete the old one.",
)


def _bearer(facts: Facts) -> tuple[str, str]:
    """Return whose keys they are, as Scaleway's word for it and an ID.

    :raises NotPossibleHere: IAM did not tell
    """
    for name in ("application", "user"):
        if facts.get(name):
            return name, facts[name]
    raise errors.NotPossibleHere(
        "It is not known whose key this is.", f"Give it {policies.IAM}, then test the credential again."
    )


def _key(key_id: str) -> str:
    if not asking.ACCESS_KEY.fullmatch(key_id):
        raise errors.NotThere("Scaleway has no such key.")
    return f"{_PATH}/{key_id}"


@sensitive_variables()
def keys(session: Identity, facts: Facts) -> list[Key]:
    """Return the bearer's keys, the oldest first."""
    _, bearer = _bearer(facts)
    said = asking.ask(
        session, "GET", _PATH, policies.IAM, organization_id=facts.get("organization", ""), bearer_id=bearer,
        order_by="created_at_asc", page_size=100,
    )  # fmt: skip
    return [_read(one) for one in said.get("api_keys") or []]


def _read(said: dict[str, Any]) -> Key:
    made, ends = (parse_datetime(str(said.get(name) or "")) for name in ("created_at", "expires_at"))
    active = ends is None or ends > datetime.datetime.now(datetime.UTC)
    return Key(str(said.get("access_key", "")), made_at=made, active=active)


@sensitive_variables()
def make(session: Identity, facts: Facts) -> tuple[Secret, Facts]:
    """Make a key that lives as long as the one at hand was made to."""
    name, bearer = _bearer(facts)
    body = {f"{name}_id": bearer, "default_project_id": facts.get("project"), "description": "keyhaven"}
    body |= _life(facts)
    said = asking.ask(session, "POST", _PATH, policies.MANAGER, body)
    secret = {"access_key": str(said.get("access_key", "")), "secret_key": str(said.get("secret_key", ""))}
    if not all(secret.values()):
        raise errors.ProviderError(
            "Scaleway made a key that cannot be read.", "Look at the application's keys; delete the newest."
        )
    kept = {name: facts[name] for name in ("project", "organization", "region") if facts.get(name)}
    return secret, kept | {"key_id": secret["access_key"]} | told(said)


def _life(facts: Facts) -> dict[str, str]:
    made, ends = (parse_datetime(facts.get(name, "")) for name in ("made", "expires"))
    if made is None or ends is None:
        return {}
    until = datetime.datetime.now(datetime.UTC) + (ends - made)
    return {"expires_at": until.isoformat(timespec="seconds")}


def used(session: Identity, facts: Facts, key_id: str) -> datetime.datetime | None:
    raise errors.NotPossibleHere(
        "Scaleway does not tell when an API key was used.", "Look into the organization's Audit Trail."
    )


def _cannot(session: Identity, facts: Facts, key_id: str) -> None:
    raise errors.NotPossibleHere(_NO_SWITCH.reason, _NO_SWITCH.remedy)


@sensitive_variables()
def remove(session: Identity, facts: Facts, key_id: str) -> None:
    with contextlib.suppress(errors.NotThere):
        asking.ask(session, "DELETE", _key(key_id), policies.MANAGER)


KEYRING = Keyring(
    keys=keys,
    make=make,
    used=used,
    disable=_cannot,
    enable=_cannot,
    remove=remove,
    policy=policies.keys,
    policy_note=f"So that Keyhaven makes and deletes keys itself. Scaleway has no smaller set for it: {policies.MANAGER} may "
    "manage everybody in the organization. Replacing the key by hand once a year is the better way for most.",
)
