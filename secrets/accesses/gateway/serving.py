"""Who may have which value: an access's token, then only what a link of that access names."""

import functools
import json
import uuid
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.views.decorators.debug import sensitive_variables

from accesses import providers
from accesses.gateway import fields, sources
from accesses.models import Access
from accesses.providers.gateway import tokens as gateway_tokens
from accounts.audit import services as audit
from accounts.encryption import Unreadable, sealing
from accounts.sign_in.limits import Limit, place
from credentials.clouds import errors

DAY = 24 * 60 * 60
_NOWHERE = "gateway:nobody"
# Audit events of refusals, for each access.
_TOLD = Limit("gateway-told", 1, 3600)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: what the operator filled into the address, and from where it came."""

    access: uuid.UUID
    name: str
    version: str
    field: str
    address: str


class Refused(Exception):
    """An answer that is no value. `wait` says after how many seconds to ask again; the words hold nothing of the value."""

    def __init__(self, status: int, words: str, wait: int = 0) -> None:
        super().__init__(words)
        self.status, self.words, self.wait = status, words, wait


@sensitive_variables()
def serve(asked: Asked, token: str) -> str:
    """Return the value that is asked for.

    :raises Refused: with the status to answer; 404 only says that a linked secret is gone, upon which the operator acts
    """
    access = _signed_in(asked, token)
    if wait := Limit("gateway", settings.GATEWAY_PER_ACCESS, 60).take(access.pk):
        raise Refused(429, "Too many requests of this access.", wait)
    _check_linked(access, asked)
    number = int(asked.version) if asked.version else None
    found = _read(access, asked.name, number)
    if access.only_tagged and not access.tags.items() <= dict(found.tags).items():
        raise Refused(403, "No link of this access names that.")
    value = found.value
    if asked.field:
        try:
            value = fields.take(value, asked.field)
        except fields.NoField:
            raise Refused(422, "The secret has no such field.") from None
    _note(access, asked.name, found.number)
    return value


@sensitive_variables()
def _signed_in(asked: Asked, token: str) -> Access:
    """Return the access whose token it is; an unknown access and a wrong token are answered alike.

    A wrong token answers 401: after 404 the operator might delete what it has.
    """
    rows = Access.objects.filter(pk=asked.access, provider__in=sources.READERS)
    access = rows.select_related("cluster__organization").first()
    kept = (access.credential or {}) if access else json.loads(sealing.unseal(_NOWHERE, _nobody()))
    if gateway_tokens.same(kept.get("token", ""), token) and access is not None:
        return access
    # Counted only now: who has a token is not held up by others at the same address.
    if wait := Limit("gateway-failed", settings.GATEWAY_FAILURES, 60).take(place(asked.address)):
        raise Refused(429, "Too many requests without a valid token.", wait)
    if access is not None and not _TOLD.take(access.pk):
        _record(access, "gateway.refused", {})
    raise Refused(401, "This is no token of this access.")


@functools.cache
def _nobody() -> str:
    """Return a token that nobody has, encrypted as those of accesses are, so that opening it takes as long."""
    return sealing.seal(_NOWHERE, json.dumps({"token": gateway_tokens.new()}))


def _check_linked(access: Access, asked: Asked) -> None:
    """Refuse what no link of the access names, whether it is there or not: a stolen token reads nothing else.

    :raises Refused: 403, and not 404, so that the operator keeps what it has until a deploy has taken the link away
    """
    if "\x00" in asked.name + asked.version + asked.field or not _is_version(asked.version):
        raise Refused(403, "No link of this access names that.")
    links = access.external_secrets.filter(takes__in=("value", "keys"), key=asked.name, version=asked.version)
    wanted = fields.plain(asked.field)
    named = any(fields.plain(one) == wanted for one in links.values_list("json_field", flat=True))
    if not named or not asked.name.startswith(access.prefix):
        raise Refused(403, "No link of this access names that.")


def _is_version(text: str) -> bool:
    return text == "" or (text.isascii() and text.isdecimal() and len(text) < 10)


@sensitive_variables()
def _read(access: Access, name: str, number: int | None) -> sources.Found:
    try:
        return sources.read(access, name, number)
    except errors.NotThere:
        raise Refused(404, "There is no such secret.") from None
    except (errors.NotReachable, errors.Throttled, errors.Raced):
        raise Refused(503, "The secret's store does not answer.", 30) from None
    except errors.NotValid:
        raise Refused(422, "The secret has no such version, or its store is not as it was.") from None
    except (providers.ProviderError, Unreadable):
        raise Refused(502, "The secret's store refuses the console, or holds what it cannot open.") from None


def _note(access: Access, name: str, number: int) -> None:
    """Tell the audit log what was read, by which access: each version of a secret once a day.

    Where it cannot be written, nothing is handed out.
    """
    key = f"gateway-read:{access.pk}:{number}:{name}"
    if not cache.add(key, 1, timeout=DAY):
        return
    try:
        _record(access, "gateway.read", {"secret": name, "version": number})
    except BaseException:
        # Also where the server ends the request: the next one is on record, or has nothing either.
        cache.delete(key)
        raise


def _record(access: Access, action: str, details: dict[str, object]) -> None:
    audit.record(
        organization=access.cluster.organization, by=None, action=action, target=access, details=details
    )
