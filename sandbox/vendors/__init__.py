"""Stand-ins of our own for secret managers without a server to run, written from their public API references.

`python -m sandbox.vendors` serves all of them in one process, each on a loopback port.
"""

import json
import urllib.request
from typing import Any

from sandbox.standin import StandIn


class Running:
    """One running stand-in: `url`, and what it printed as `facts`."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.url = str(facts["url"])

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]

    def plant(self, what: str, **body: Any) -> dict[str, Any]:
        """Send something to `/sandbox/WHAT`: `faults`, or what the vendor's module knows."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/sandbox/{what}", data=json.dumps(body).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            found: dict[str, Any] = json.loads(answer.read() or b"{}")
            return found


class Vendors(StandIn):
    """All of them; each is reached by its slug: `vendors["doppler"].url`."""

    module = "sandbox.vendors"

    def hear(self, said: dict[str, Any]) -> None:
        self.facts: dict[str, dict[str, Any]] = said["vendors"]
        self._running = {slug: Running(facts) for slug, facts in self.facts.items()}

    def __getitem__(self, slug: str) -> Running:
        return self._running[slug]

    def well(self) -> None:
        """Take every fault away."""
        for one in self._running.values():
            one.plant("faults")
