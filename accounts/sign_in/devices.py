"""Browsers in which a person has signed in: a signed cookie, so that an attack from elsewhere cannot hold them up."""

import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import constant_time_compare

from accounts.organizations.models import User

COOKIE = f"{settings.COOKIE_PREFIX}device"
SALT = "accounts.device"
AGE = 400 * 24 * 60 * 60
# Several people may use one browser; those who came last are kept.
MOST = 5

type Known = list[tuple[int, str, str]]


def _seal(user: User) -> str:
    """Return what ties a device to the password of its day: changing it forgets every device."""
    return user.get_session_auth_hash()[:16]


def _read(request: HttpRequest) -> Known:
    try:
        entries = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=AGE)
        return [(int(person), str(device), str(seal)) for person, device, seal in entries]
    except (signing.BadSignature, TypeError, ValueError):
        return []


def known(request: HttpRequest, user: User | None) -> str:
    """Return the name of this browser if this person has signed in here before, or nothing."""
    if user is None:
        return ""
    mine = [entry for entry in _read(request) if entry[0] == user.pk]
    return next((device for _, device, seal in mine if constant_time_compare(seal, _seal(user))), "")


def remember(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """Note in the browser that this person has signed in."""
    others = [entry for entry in _read(request) if entry[0] != user.pk]
    mine = (user.pk, known(request, user) or secrets.token_urlsafe(12), _seal(user))
    response.set_cookie(
        COOKIE,
        signing.dumps([mine, *others][:MOST], salt=SALT),
        max_age=AGE,
        secure=settings.SERVED_OVER_TLS,
        httponly=True,
        samesite="Lax",
    )
