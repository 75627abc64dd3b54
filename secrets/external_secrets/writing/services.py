"""Creating, changing, deleting and restoring secrets in a secret manager, each sent once and on record before."""

import datetime
from collections.abc import Mapping
from typing import Any, cast

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accesses import providers
from accesses import services as accesses
from accesses.models import Access
from accounts.models import User
from external_secrets.inventory_staging import is_legal
from external_secrets.writing import known, rules
from external_secrets.writing.recording import Attempt
from external_secrets.writing.recording import Unknown as Unknown
from external_secrets.writing.rules import NotAllowed as NotAllowed


@sensitive_variables()
def create(
    *, access: Access, name: str, value: str, tags: Mapping[str, str], reach: tuple[str, ...], by: User
) -> str:
    """Make a secret of a name behind the access's prefix, and return its whole name.

    :raises NotAllowed: nothing was sent
    :raises ProviderError: the manager refused it; `AlreadyThere` where the name is taken
    :raises Unknown: it may have been made
    """
    access = _fresh(access)
    whole = rules.full_name(access, name, reach)
    wanted = rules.tags_of(access, tags)
    rules.check_size(access, len(value.encode()))
    attempt = Attempt(access, "create", whole, by, {"tags": wanted})
    manager = _begun(attempt, access)
    with attempt.sending():
        reference = manager.create(whole, value, wanted)
    _done(attempt, "secret.created")
    if is_legal(whole):
        told = wanted if rules.how(access).lists_tags else {}
        known.made(access, providers.Entry(whole, reference, changed_at=timezone.now(), tags=told))
    return whole


@sensitive_variables()
def put(*, access: Access, name: str, value: str, by: User) -> None:
    """Give a secret a new version.

    :raises NotAllowed: nothing was sent
    :raises ProviderError: the manager refused it
    :raises Unknown: it may have it
    """
    access = _fresh(access)
    rules.known_name(access, name)
    rules.check_size(access, len(value.encode()))
    attempt = Attempt(access, "new version", name, by, {})
    manager = _begun(attempt, access)
    with attempt.sending():
        manager.put(name, value)
    _done(attempt, "secret.version_added")
    known.changed(access, name)


def tag(*, access: Access, name: str, tags: Mapping[str, str], by: User) -> None:
    """Add tags to a secret, or change them; others stay.

    :raises NotAllowed: nothing was sent
    :raises ProviderError: the manager refused it
    :raises Unknown: it may have them
    """
    access = _fresh(access)
    rules.known_name(access, name)
    if not rules.how(access).tags or not tags:
        raise NotAllowed("Enter at least one tag, where the manager has tags.", "tags")
    rules.check_tags(access, tags)
    attempt = Attempt(access, "tags", name, by, {"tags": dict(tags)})
    manager = _begun(attempt, access)
    with attempt.sending():
        manager.tag(name, dict(tags))
    _done(attempt, "secret.tagged")
    if rules.how(access).lists_tags:
        known.tagged(access, name, dict(tags))


def delete(*, access: Access, name: str, by: User) -> datetime.datetime | None:
    """Delete a secret; return until when it can be brought back, if that is known.

    :raises NotAllowed: nothing was sent
    :raises ProviderError: the manager refused it
    :raises Unknown: it may be deleted
    """
    access = _fresh(access)
    rules.known_name(access, name)
    attempt = Attempt(access, "delete", name, by, {})
    manager = _begun(attempt, access)
    until: datetime.datetime | None = None
    with attempt.sending():
        until = manager.delete(name)
    _done(attempt, "secret.deleted", until=until)
    # Kept for as long as nobody destroys it: then it is told since when it is deleted.
    kept = until or (timezone.now() if rules.how(access).restores else None)
    known.deleted(access, name, kept)
    return until


def restore(*, access: Access, name: str, by: User) -> None:
    """Bring back a deleted secret as it was.

    :raises NotAllowed: nothing was sent
    :raises ProviderError: the manager refused it
    :raises Unknown: it may be there again
    """
    access = _fresh(access)
    rules.known_name(access, name)
    if not rules.how(access).restores:
        raise NotAllowed("This secret manager keeps nothing of what was deleted.")
    attempt = Attempt(access, "restore", name, by, {})
    manager = _begun(attempt, access)
    with attempt.sending():
        manager.restore(name)
    _done(attempt, "secret.restored")
    known.restored(access, name)


def _fresh(access: Access) -> Access:
    """Return the access as it is now, if it is written through: somebody may have ended that a moment ago."""
    rows = Access.objects.select_related("cluster__organization", "cloud_credential")
    live = rows.filter(pk=access.pk).first()
    if live is None:
        raise NotAllowed("The access is gone.")
    rules.how(live)
    return live


def _begun(attempt: Attempt, access: Access) -> Any:
    """Put an attempt on record and return the manager, signed in to."""
    attempt.begin()
    with attempt.signing_in():
        manager = accesses.connect(access)
        return cast(providers.Writes, manager)


@transaction.atomic
def _done(attempt: Attempt, action: str, **more: Any) -> None:
    attempt.tell(action, **more)
