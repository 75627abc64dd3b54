"""Google's identities in a sandbox GKE cluster: their access tokens are asked about at what plays Google."""

import json
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from sandbox.kubernetes.identity import User

# So long an answer counts, as a cluster's does.
_KEPT = 10.0
_TIMEOUT = 5.0


class GoogleUsers:
    """Tells whose access token it is; whom `rules` do not name by address may do nothing but look at the version."""

    def __init__(self, google: str, rules: Mapping[str, list[dict[str, Any]]]) -> None:
        self._google, self._rules = google, rules
        self._known: dict[str, tuple[User | None, float]] = {}
        self._lock = threading.Lock()

    def __call__(self, token: str) -> User | None:
        if not token.startswith("ya29."):
            return None
        with self._lock:
            user, until = self._known.get(token, (None, 0.0))
        if until < time.monotonic():
            user = self._asked(token)
            with self._lock:
                self._known = {
                    one: known for one, known in self._known.items() if known[1] > time.monotonic()
                }
                self._known[token] = (user, time.monotonic() + _KEPT)
        return user

    def _asked(self, token: str) -> User | None:
        query = urllib.parse.urlencode({"access_token": token})
        try:
            with urllib.request.urlopen(f"{self._google}/tokeninfo?{query}", timeout=_TIMEOUT) as answer:  # noqa: S310
                found = json.loads(answer.read())
        except (OSError, ValueError):
            return None
        # Without the address among a token's scopes, a service account is but a number.
        name = found.get("email") or found.get("azp") or found.get("principal", "")
        return User(name, self._rules.get(name, []))
