"""The access keys of an IAM user, which the console replaces itself where the user may."""

import contextlib
import datetime
from collections.abc import Iterator
from typing import Any

from django.views.decorators.debug import sensitive_variables

from credentials.clouds import errors
from credentials.clouds.aws import asking, policies
from credentials.clouds.aws.regions import PARTITIONS
from credentials.clouds.base import Facts, Key, Keyring, Secret


def user_of(facts: Facts) -> str:
    """Return the name of the IAM user whose keys these are.

    :raises NotPossibleHere: they are somebody else's
    """
    arn = facts.get("arn", "")
    kind = arn.rpartition(":")[2].partition("/")[0]
    if kind == "user":
        return arn.rpartition("/")[2]
    if kind == "root":
        raise errors.NotPossibleHere(
            "These are keys of the account's root user, which the console does not touch.",
            "Make an IAM user for Keyhaven, enter its access key, and delete that of the root user.",
        )
    raise errors.NotPossibleHere(
        "These are temporary keys of a role or a federated session, which end by themselves.",
        "Choose the role as the credential: then no key has to be replaced.",
    )


@contextlib.contextmanager
def _asking(permission: str, facts: Facts) -> Iterator[None]:
    with asking.translated(f"iam:{permission}", _region(facts), policy(facts)):
        yield


def _region(facts: Facts) -> str:
    return PARTITIONS[facts.get("partition", "aws")][1]


def _iam(session: asking.Keys, facts: Facts, *, hasty: bool = False) -> Any:
    return asking.client("iam", session, _region(facts), hasty=hasty)


def keys(session: asking.Keys, facts: Facts, *, hasty: bool = False) -> list[Key]:
    """Return the user's keys, the oldest first; when they were used is another question."""
    user = user_of(facts)
    with _asking("ListAccessKeys", facts):
        found = _iam(session, facts, hasty=hasty).list_access_keys(UserName=user)["AccessKeyMetadata"]
        rows = [Key(one["AccessKeyId"], one["CreateDate"], None, one["Status"] == "Active") for one in found]
    return sorted(rows, key=lambda one: (one.made_at is not None, one.made_at))


def made_at(session: asking.Keys, facts: Facts) -> str:
    """Return when the key at hand was made (ISO 8601); empty where its user may not know."""
    try:
        found = {key.id: key.made_at for key in keys(session, facts, hasty=True)}
    except errors.ProviderError:
        return ""
    made = found.get(session.access_key_id)
    return made.isoformat() if made else ""


@sensitive_variables()
def make(session: asking.Keys, facts: Facts) -> tuple[Secret, Facts]:
    """Make the user's second key."""
    user = user_of(facts)
    try:
        with _asking("CreateAccessKey", facts):
            made = _iam(session, facts).create_access_key(UserName=user)["AccessKey"]
    except errors.LimitReached:
        raise errors.LimitReached(
            f"The user {user} has two access keys already, which is as many as AWS allows.",
            "Delete the one that nothing uses, then try again.",
        ) from None
    secret = {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}
    kept = {name: facts[name] for name in ("partition", "arn", "account") if name in facts}
    return secret, kept | {"key_id": made["AccessKeyId"], "made": made["CreateDate"].isoformat()}


def used(session: asking.Keys, facts: Facts, key_id: str) -> datetime.datetime | None:
    """Return when a key was last used, as AWS noted it, which may be some minutes later; None for never."""
    user_of(facts)
    with _asking("GetAccessKeyLastUsed", facts):
        found = _iam(session, facts).get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"]
    when: datetime.datetime | None = found.get("LastUsedDate")
    return when


def disable(session: asking.Keys, facts: Facts, key_id: str) -> None:
    with contextlib.suppress(errors.NotThere):
        _set(session, facts, key_id, "Inactive")


def enable(session: asking.Keys, facts: Facts, key_id: str) -> None:
    _set(session, facts, key_id, "Active")


def _set(session: asking.Keys, facts: Facts, key_id: str, status: str) -> None:
    user = user_of(facts)
    with _asking("UpdateAccessKey", facts):
        _iam(session, facts).update_access_key(UserName=user, AccessKeyId=key_id, Status=status)


def remove(session: asking.Keys, facts: Facts, key_id: str) -> None:
    user = user_of(facts)
    with contextlib.suppress(errors.NotThere), _asking("DeleteAccessKey", facts):
        _iam(session, facts).delete_access_key(UserName=user, AccessKeyId=key_id)


def policy(facts: Facts) -> str:
    """Return what the user needs to be allowed, for itself alone."""
    partition, account = facts.get("partition", "aws"), facts.get("account", "ACCOUNT_ID")
    return policies.for_keys(facts.get("arn") or f"arn:{partition}:iam::{account}:user/USER_NAME")


KEYRING = Keyring(
    keys=keys,
    make=make,
    used=used,
    disable=disable,
    enable=enable,
    remove=remove,
    policy=policy,
    policy_note="So that Keyhaven makes and retires this user's access keys itself: this user's, and nobody else's.",
)
