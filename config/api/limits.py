"""How much may be asked: requests of a token and of an address in a minute, and attempts without a valid token.

Counted in Redis. While it is away nothing is limited: a token can't be guessed, and a console that answers nobody
because it can't count would be worse.
"""

import functools
import ipaddress
import logging
import time
from dataclasses import dataclass

import redis
from django.conf import settings
from django.http import HttpRequest

from config.api.problems import Problem

WINDOW = 60
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Spent:
    """Where a count stands: how many are allowed in a window, how many are left, seconds until the next window."""

    name: str
    allowed: int
    left: int
    seconds: int

    @property
    def headers(self) -> dict[str, str]:
        """`RateLimit` and `RateLimit-Policy` as in the draft of the IETF's httpapi group."""
        return {
            "RateLimit-Policy": f'"{self.name}";q={self.allowed};w={WINDOW}',
            "RateLimit": f'"{self.name}";r={max(self.left, 0)};t={self.seconds}',
        }


@functools.cache
def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)


def address(request: HttpRequest) -> str:
    """Return who asks, for counting: an IPv4 address, or the /64 that an IPv6 address is in."""
    text: str = request.META.get("REMOTE_ADDR", "")
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return text
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def count(name: str, who: str, allowed: int) -> Spent:
    """Count one more of `name` by `who`, and return where it stands."""
    now = int(time.time())
    key = f"keyhaven:limit:{name}:{who}:{now // WINDOW}"
    seconds = WINDOW - now % WINDOW
    try:
        with _redis(settings.REDIS_URL).pipeline(transaction=False) as pipe:
            pipe.incr(key)
            pipe.expire(key, WINDOW)
            used = int(pipe.execute()[0])
    except redis.RedisError as error:
        logger.warning("Requests are not limited: Redis is away (%s).", type(error).__name__)
        used = 1
    return Spent(name, allowed, allowed - used, seconds)


def spend(request: HttpRequest, name: str, who: str, allowed: int) -> None:
    """Count a request, and note it for the headers of the answer.

    :raises Problem: more than `allowed` in this minute
    """
    spent = count(name, who, allowed)
    before: Spent | None = getattr(request, "api_spent", None)
    if before is None or spent.left / spent.allowed <= before.left / before.allowed:
        request.api_spent = spent  # type: ignore[attr-defined]
    if spent.left < 0:
        raise Problem(429, headers={"Retry-After": str(spent.seconds)})


def ask(request: HttpRequest) -> None:
    """Count any request of an address."""
    spend(request, "address", address(request), settings.API_PER_ADDRESS)


def fail(request: HttpRequest) -> None:
    """Count an attempt without a valid token: those of one address run out soon, valid tokens from there go on."""
    spend(request, "failures", address(request), settings.API_FAILURES)
