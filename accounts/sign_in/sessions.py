"""Sessions: how long they last, which ones a person has, ending them."""

import time
from collections.abc import Callable

from allauth.usersessions.models import UserSession
from django.contrib.auth import logout
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.organizations.models import User
from accounts.sign_in import limits, records

# However much it is used, and when it is not used.
LONGEST = 12 * 60 * 60
IDLE = 2 * 60 * 60
NOTED = 60


def begin(request: HttpRequest) -> None:
    """Note in a new session when it began; signing in is also a proof of who it is (see `sudo`)."""
    now = time.time()
    request.session.update({"signed_in_at": now, "seen_at": now, "proved_at": now})


def end_of(session: SessionBase) -> str:
    """Return why a session is over, or nothing."""
    now = time.time()
    if now - session.get("signed_in_at", now) > LONGEST:
        return "12 hours"
    return "idle" if now - session.get("seen_at", now) > IDLE else ""


def _seen(request: HttpRequest) -> None:
    """Note each minute that a session is used. Pages that ask by themselves, each second, do not count."""
    session, now = request.session, time.time()
    session.setdefault("signed_in_at", now)
    if now - session.get("seen_at", 0) < NOTED or request.headers.get("X-Poll"):
        return
    session["seen_at"] = now
    UserSession.objects.filter(session_key=session.session_key).update(
        last_seen_at=timezone.now(), ip=address(request), user_agent=agent(request)
    )


def address(request: HttpRequest) -> str:
    """Return the address as `config.middleware.trust_proxies` left it; an unknown one is 0.0.0.0."""
    peer = request.META.get("REMOTE_ADDR", "")
    return peer if limits.place(peer) != "unknown" else "0.0.0.0"  # noqa: S104 no address to listen on


def agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")[:200]


def kept_within_limits(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """End sessions that are too old or were not used for too long, before anything is answered."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            if why := end_of(request.session):
                _end_this(request, request.user, why)
            else:
                _seen(request)
        return get_response(request)

    return middleware


@transaction.atomic
def _end_this(request: HttpRequest, user: User, why: str) -> None:
    UserSession.objects.filter(session_key=request.session.session_key).delete()
    records.everywhere(user=user, action="session.ended", by=None, details={"why": why})
    logout(request)


def of(user: User) -> list[UserSession]:
    """Return a person's sessions that still are, the one used last first."""
    alive = [one for one in UserSession.objects.filter(user=user) if one.exists()]
    return sorted(alive, key=lambda one: one.last_seen_at, reverse=True)


@transaction.atomic
def end(*, session: UserSession, by: User) -> None:
    """End one session: its next request is a stranger's."""
    details = {"address": session.ip, "device": session.user_agent[:200]}
    session.end()
    records.everywhere(user=session.user, action="session.ended", by=by, details=details)


@transaction.atomic
def end_others(*, user: User, kept: str | None, by: User | None) -> int:
    """End all sessions of a person but the one with the key `kept`; return how many there were."""
    others = [one for one in UserSession.objects.filter(user=user) if one.session_key != kept]
    for one in others:
        one.end()
    if others:
        details = {"sessions": len(others)}
        records.everywhere(user=user, action="session.ended", by=by, details=details)
    return len(others)


def forget(key: str | None) -> None:
    """Take a session that ends off the person's list."""
    UserSession.objects.filter(session_key=key).delete()


def move(*, old: str | None, new: str | None) -> None:
    """Note that a session goes on under another key."""
    UserSession.objects.filter(session_key=old).update(session_key=new)
