"""How often a password or a code may be tried. It is counted before anything is hashed: a flood costs next to nothing.

A limit counts in windows of the clock in Redis, so any span of its length sees at most twice its amount. Nothing that
a stranger does is keyed by the account alone (`PROOF` is for who has the password): whoever attacks from elsewhere uses
up places that are not the owner's, and each window ends by itself. A browser in which the person signed in before (`devices`) has a count of its own.
"""

import contextlib
import hashlib
import ipaddress
import time
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries in so many seconds."""

    name: str
    amount: int
    seconds: int

    def take(self, *parts: object) -> int:
        """Count one try; return 0 if it is allowed, else in how many seconds the next one may be."""
        now = time.time()
        key = self._key(now, parts)
        cache.add(key, 0, timeout=self.seconds + 5)
        if int(cache.incr(key)) <= self.amount:
            return 0
        return self.seconds - int(now % self.seconds)

    def give_back(self, *parts: object) -> None:
        """Count one try less: it was right."""
        key = self._key(time.time(), parts)
        if (cache.get(key) or 0) > 0:
            with contextlib.suppress(ValueError):  # its window has just ended
                cache.decr(key)

    def _key(self, now: float, parts: tuple[object, ...]) -> str:
        text = "\n".join(str(part) for part in parts)
        who = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]
        return f"limit:{self.name}:{int(now // self.seconds)}:{who}"


# Of one person (address and account, or known browser and account), a minute and an hour.
PAIR = Limit("pair", 5, 60)
PAIR_HOUR = Limit("pair-hour", 30, 3600)
# Codes and proofs of one person from all browsers that are not known.
PROOF = Limit("proof", 60, 3600)
RESET = Limit("reset", 5, 3600)
RESET_ADDRESS = Limit("reset-address", 30, 3600)
# Audit events of failed tries, for each person.
WRITTEN = Limit("written", 20, 3600)
# What the worker is asked to write: for each address that was typed, and of each kind in all.
ASKED = Limit("asked", 20, 3600)
ASKED_BY_ALL = Limit("asked-by-all", 600, 60)
SPAN = 10


def place(address: str) -> str:
    """Return what counts as one address: of IPv6, the 64 bits of a network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 6:
        return str(ipaddress.ip_network(f"{parsed}/64", strict=False).network_address)
    return str(parsed)


def of_password(*, address: str, account: str, device: str) -> int:
    """Count a try of a password; return 0, or the seconds to wait.

    `device` names a browser that is known for this account; it is not held up by what others try.
    """
    if device:
        return PAIR.take("device", device, account) or PAIR_HOUR.take("device", device, account)
    here = place(address)
    of_all = settings.SIGN_IN_HASHES_PER_MINUTE
    return (
        PAIR.take(here, account)
        or PAIR_HOUR.take(here, account)
        or Limit("address", max(PAIR.amount, of_all // 2), 60).take(here)
        or Limit("all", max(1, of_all * SPAN // 60), SPAN).take()
    )


def was_right(*, address: str, account: str, device: str) -> None:
    """Forget the try of a password that was right: who signs in often is not slowed. The count of all keeps it."""
    parts = ("device", device, account) if device else (place(address), account)
    PAIR.give_back(*parts)
    PAIR_HOUR.give_back(*parts)


def of_proof(*, address: str, person: int, device: str) -> int:
    """Count a try of somebody who is signed in, or who has given the password and owes the second factor.

    Who knows the password and has many addresses could else guess the million codes: from browsers that are not
    `device`s of this person all tries together are counted too.
    """
    here = _prover(address, device)
    pair = PAIR.take("proof", here, person) or PAIR_HOUR.take("proof", here, person)
    return pair or (0 if device else PROOF.take(person))


def _prover(address: str, device: str) -> str:
    return f"device {device}" if device else place(address)


def of_reset(*, address: str, account: str) -> int:
    """Count a request for a mail that resets a password."""
    return RESET.take(place(address), account) or RESET_ADDRESS.take(place(address))


def proof_was_right(*, address: str, person: int, device: str) -> None:
    here = _prover(address, device)
    PAIR.give_back("proof", here, person)
    PAIR_HOUR.give_back("proof", here, person)
    if not device:
        PROOF.give_back(person)
