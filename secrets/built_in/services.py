"""Making, renewing, deleting, bringing back and reading the secrets of the built-in store.

Whoever calls says that it was done: the audit event is that of the access through which it was asked for.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.models import Organization
from built_in import names
from built_in.models import StoredSecret, StoredVersion
from credentials.clouds import errors


@dataclass(frozen=True, slots=True)
class Found:
    """A value that was read, with what decides whether it may be handed out."""

    value: str = field(repr=False)
    number: int
    tags: Mapping[str, str]


def listing(*, organization: Organization, prefix: str, after: str, count: int) -> list[StoredSecret]:
    """Return secrets by name, deleted ones as well: those that begin with `prefix` and come after `after`."""
    rows = StoredSecret.objects.owned_by(organization).filter(name__gt=after)
    if prefix:
        rows = rows.filter(name__startswith=prefix)
    return list(rows.order_by("name")[:count])


@sensitive_variables()
@transaction.atomic
def create(
    *,
    organization: Organization,
    name: str,
    value: str,
    tags: Mapping[str, str],
    by: str = "",
    description: str = "",
) -> StoredSecret:
    """Make a secret with its first version.

    :raises AlreadyThere: there is one of that name, maybe a deleted one
    :raises NotValid: the name or the value cannot be kept
    :raises LimitReached: the organization has as many as it may
    """
    names.check(name)
    names.check_size(value)
    if StoredSecret.objects.owned_by(organization).count() >= names.MOST_SECRETS:
        raise errors.LimitReached(
            f"The built-in store holds {names.MOST_SECRETS} secrets, which are the most.",
            "Delete what is not needed, or move to a secret manager.",
        )
    secret = StoredSecret(
        organization=organization, name=name, tags=dict(tags), description=description,
        last_number=1, made_by=by, changed_by=by,
    )  # fmt: skip
    try:
        with transaction.atomic():
            secret.save(force_insert=True)
    except IntegrityError:
        raise _taken(organization, name) from None
    StoredVersion(secret=secret, number=1, value=value, by=by).save(force_insert=True)
    return secret


def _taken(organization: Organization, name: str) -> errors.AlreadyThere:
    kept = StoredSecret.objects.owned_by(organization).filter(name=name).exclude(deleted_at=None).exists()
    if kept:
        return errors.AlreadyThere(f"{name} was deleted and is still kept.", "Restore it instead.")
    return errors.AlreadyThere(f"There is a secret named {name}.")


@sensitive_variables()
@transaction.atomic
def put(*, organization: Organization, name: str, value: str, by: str = "") -> int:
    """Give a secret a new version and return its number; who writes at the same time gets the next one.

    :raises NotThere: there is none of that name
    :raises NotValid: the value cannot be kept
    """
    names.check_size(value)
    secret = _locked(organization, name)
    secret.last_number += 1
    secret.changed_by = by
    secret.save(update_fields=["last_number", "changed_by", "changed_at"])
    StoredVersion(secret=secret, number=secret.last_number, value=value, by=by).save(force_insert=True)
    secret.versions.filter(number__lte=secret.last_number - names.MOST_VERSIONS).delete()
    return secret.last_number


@transaction.atomic
def tag(*, organization: Organization, name: str, tags: Mapping[str, str], by: str = "") -> None:
    """Add or change tags; others stay.

    :raises NotThere: there is none of that name
    """
    secret = _locked(organization, name)
    secret.tags, secret.changed_by = secret.tags | dict(tags), by
    secret.save(update_fields=["tags", "changed_by", "changed_at"])


@transaction.atomic
def delete(*, organization: Organization, name: str, by: str = "") -> datetime.datetime:
    """Take a secret away, and return until when it can be brought back.

    :raises NotThere: there is none of that name
    """
    secret = _locked(organization, name)
    secret.deleted_at, secret.changed_by = timezone.now(), by
    secret.save(update_fields=["deleted_at", "changed_by", "changed_at"])
    return ends(secret.deleted_at)


@transaction.atomic
def restore(*, organization: Organization, name: str, by: str = "") -> None:
    """Bring a deleted secret back with all its versions.

    :raises NotThere: no deleted one has that name
    """
    secret = _locked(organization, name, deleted=True)
    secret.deleted_at, secret.changed_by = None, by
    secret.save(update_fields=["deleted_at", "changed_by", "changed_at"])


def _locked(organization: Organization, name: str, *, deleted: bool = False) -> StoredSecret:
    rows = StoredSecret.objects.owned_by(organization).select_for_update()
    found = rows.filter(name=_plain(name), deleted_at__isnull=not deleted).first()
    if found is None:
        raise errors.NotThere(
            f"There is no {'deleted ' if deleted else ''}secret named {_plain(name)}.", "Check the name."
        )
    return found


def _plain(name: str) -> str:
    # PostgreSQL takes no NUL, and no name has one.
    return name.replace("\x00", "")


@sensitive_variables()
def read(*, organization: Organization, name: str, number: int | None = None) -> Found:
    """Return a secret's newest value, or that of one version.

    :raises NotThere: there is none of that name, or it is deleted
    :raises NotValid: it has no such version, any more
    :raises accounts.encryption.Unreadable: the value is not what was written here
    """
    rows = StoredVersion.objects.filter(
        secret__organization=organization, secret__name=_plain(name), secret__deleted_at=None
    )
    wanted = rows if number is None else rows.filter(number=number)
    found = wanted.select_related("secret").order_by("-number").first()
    if found is None and number is not None and rows.exists():
        raise errors.NotValid(f"{_plain(name)} has no version {number}.", "Name one that it has, or none.")
    if found is None:
        raise errors.NotThere(f"There is no secret named {_plain(name)}.", "Check the name.")
    return Found(found.value, found.number, found.secret.tags)


def ends(deleted_at: datetime.datetime) -> datetime.datetime:
    """Return until when a deleted secret can be brought back."""
    return deleted_at + datetime.timedelta(days=settings.BUILT_IN_DELETED_DAYS)
