"""Google's identities in a sandbox GKE cluster: their access tokens are asked about at what plays Google."""

import json
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from sandbox.kubernetes import rbac
from sandbox.kubernetes.identity import User
from sandbox.kubernetes.store import Store

# So long an answer counts, as a cluster's does.
_KEPT = 10.0
_TIMEOUT = 5.0


class GoogleUsers:
    """Tells whose access token it is. Whom neither `rules` nor a binding in the cluster name by address may do nothing
    but look at the version."""

    def __init__(self, google: str, rules: Mapping[str, list[dict[str, Any]]], store: Store) -> None:
        self._google, self._rules, self._store = google, rules, store
        self._known: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def __call__(self, token: str) -> User | None:
        if not token.startswith("ya29."):
            return None
        with self._lock:
            name, until = self._known.get(token, ("", 0.0))
        if until < time.monotonic():
            name = self._asked(token)
            with self._lock:
                self._known = {
                    one: known for one, known in self._known.items() if known[1] > time.monotonic()
                }
                self._known[token] = (name, time.monotonic() + _KEPT)
        if not name:
            return None
        return User(name, [*self._rules.get(name, []), rbac.ISSUER, *rbac.bound(self._store, name)])

    def _asked(self, token: str) -> str:
        query = urllib.parse.urlencode({"access_token": token})
        try:
            with urllib.request.urlopen(f"{self._google}/tokeninfo?{query}", timeout=_TIMEOUT) as answer:  # noqa: S310
                found = json.loads(answer.read())
        except (OSError, ValueError):
            return ""
        # Without the address among a token's scopes, a service account is but a number.
        return str(found.get("email") or found.get("azp") or found.get("principal", ""))
