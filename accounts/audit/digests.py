"""Daily digests: where a chain stood when a day had ended, signed. Kept elsewhere, they show what a database alone cannot:
that the whole chain was made anew, or that its end is cut."""

import datetime
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from accounts.audit import signing
from accounts.audit.models import AuditDigest, AuditEvent, AuditHead, AuditKey
from accounts.organizations.models import Organization

HOUR = 3600
# So many days at once, where nobody made digests for long.
AT_ONCE = 400
_STATED = ("organization", "day", "through", "hash", "events", "previous")


class Unreadable(Exception):
    """A file that is not one of digests; the text names the line."""


def sweep() -> int:
    """Make the digests of the days that have ended, at most once an hour; return how many."""
    if not cache.add("audit-digests", 1, timeout=HOUR):
        return 0
    return sum(make(organization) for organization in Organization.objects.filter(audit_head__sequence__gt=0))


@transaction.atomic
def make(organization: Organization) -> int:
    """Make the digests of an organization that are due, one for each day (UTC) with events; return how many."""
    # Two workers make them once.
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    last = AuditDigest.objects.filter(organization=organization).last()
    made = 0
    while made < AT_ONCE and (digest := _next(organization, last)) is not None:
        digest.save(force_insert=True)
        last, made = digest, made + 1
    return made


def _next(organization: Organization, last: AuditDigest | None) -> AuditDigest | None:
    owned = AuditEvent.objects.owned_by(organization)
    after = last.through_sequence if last else 0
    first = owned.filter(sequence__gt=after).order_by("sequence").only("at", "sequence").first()
    today = timezone.now().astimezone(UTC).date()
    if first is None or first.at.astimezone(UTC).date() >= today:
        return None
    day = first.at.astimezone(UTC).date()
    end = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time(), UTC)
    through = owned.filter(at__lt=end).order_by("-at", "-sequence").only("sequence", "hash").first() or first
    digest = AuditDigest(
        organization=organization,
        day=day,
        through_sequence=through.sequence,
        hash=through.hash,
        events=through.sequence - after,
        previous_signature=last.signature if last else "",
        key=signing.current_key(),
    )
    digest.signature = signing.sign(_statement(line(digest)))
    return digest


def line(digest: AuditDigest) -> dict[str, Any]:
    """Return a digest as it stands in a file."""
    return {
        "organization": digest.organization_id,
        "day": digest.day.isoformat(),
        "through": digest.through_sequence,
        "hash": digest.hash,
        "events": digest.events,
        "previous": digest.previous_signature,
        "key": digest.key_id,
        "signature": digest.signature,
    }


def _statement(written: dict[str, Any]) -> dict[str, Any]:
    return {name: written.get(name) for name in _STATED}


def lines(organization: Organization) -> Iterator[str]:
    """Yield a file of JSON lines to keep elsewhere: the public keys, each digest, and where the chain stands now."""
    signing.current_key()
    for key in AuditKey.objects.order_by("first_used_at"):
        yield json.dumps({"key": key.pk, "public_key": key.public_key}) + "\n"
    digests = AuditDigest.objects.filter(organization=organization)
    for digest in digests.iterator():
        yield json.dumps(line(digest)) + "\n"
    yield json.dumps(now(organization)) + "\n"


def now(organization: Organization) -> dict[str, Any]:
    """Return where a chain stands at this moment, signed; it is not kept here."""
    head = AuditHead.objects.filter(organization=organization).first()
    statement = {
        "organization": organization.pk,
        "day": timezone.now().astimezone(UTC).isoformat(timespec="seconds"),
        "through": head.sequence if head else 0,
        "hash": head.hash if head else "",
        "events": None,
        "previous": None,
    }
    return statement | {"key": signing.current_key().pk, "signature": signing.sign(statement)}


@dataclass(slots=True)
class Checked:
    """Digests that were looked at: the hashes that they vouch for, by event, with the key of each; and what is wrong."""

    known: dict[int, str] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def parse(text: Iterable[str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the digests and the public keys of a file.

    :raises Unreadable: with the line that is none
    """
    found: list[dict[str, Any]] = []
    keys: dict[str, str] = {}
    for number, raw in enumerate(text, start=1):
        try:
            one = json.loads(raw)
            if "public_key" in one:
                keys[signing.key_id(one["public_key"])] = one["public_key"]
            else:
                found.append({name: one[name] for name in (*_STATED, "key", "signature")})
                int(one["through"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unreadable(f"Line {number} is no digest.") from error
    return found, keys


def kept(organization: Organization) -> list[dict[str, Any]]:
    """Return the digests that the database keeps."""
    return [line(digest) for digest in AuditDigest.objects.filter(organization=organization)]


def public_keys() -> dict[str, str]:
    """Return the key in use and the earlier ones, by their ids."""
    public = signing.public_key()
    return {key.pk: key.public_key for key in AuditKey.objects.all()} | {signing.key_id(public): public}


def check(organization: Organization, found: list[dict[str, Any]], keys: dict[str, str]) -> Checked:
    """Check signatures, and that each digest follows from the one before it; those of other organizations are left out."""
    checked, previous = Checked(), None
    for one in found:
        if one.get("organization") != organization.pk:
            continue
        if problem := _wrong(one, previous, keys):
            checked.problems.append(problem)
            continue
        checked.known[one["through"]] = one["hash"]
        checked.keys[one["key"]] = checked.keys.get(one["key"], 0) + 1
        previous = one if one["previous"] is not None else previous
    return checked


def _wrong(one: dict[str, Any], previous: dict[str, Any] | None, keys: dict[str, str]) -> str:
    name = f"The digest of {one.get('day')}"
    key = keys.get(str(one.get("key")))
    if key is None:
        return f"{name} is signed with a key that is not known ({one.get('key')})."
    if not signing.is_signed(_statement(one), str(one.get("signature")), key):
        return f"{name} does not have its signature."
    if one["previous"] is None or previous is None:
        return ""
    if one["previous"] != previous["signature"] or one["through"] - one["events"] != previous["through"]:
        return f"{name} does not follow from that of {previous['day']}: one between them was removed."
    return ""
