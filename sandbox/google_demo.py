"""What plays Google in the demo: it trusts the console's own tokens, and hands out two keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox import world
from sandbox.google import Google
from sandbox.kubernetes.__main__ import write

# Whose key.json lies where: one for accesses, and the console's own, which finds the GKE cluster.
KEYS = {"reader": "google-key.json", "console": "google-console-key.json"}
CONSOLE = f"{world.GOOGLE_CONSOLE}@{world.GOOGLE_CLUSTERS}.iam.gserviceaccount.com"


@contextmanager
def running(folder: Path, address: str) -> Iterator[dict[str, str]]:
    """Run it and yield what a newcomer needs to know of it; `address` is the console's, whose tokens it trusts."""
    with Google() as google:
        for name, file in KEYS.items():
            write(folder / file, google.keys[name])
        audience = google.pool("keyhaven", "console", address, project=world.GOOGLE_CLUSTERS)
        # At a real Google each organization of the console has a provider of its own, with a condition.
        anybody = f"principalSet:{audience.partition('/providers/')[0]}/*"
        google.bind("roles/iam.workloadIdentityUser", anybody, account=CONSOLE)
        yield {
            "google_url": google.url,
            "google_key": str(folder / KEYS["reader"]),
            "google_console_key": str(folder / KEYS["console"]),
            "google_project": world.GOOGLE_CLUSTERS,
            "google_provider": audience.removeprefix("//iam.googleapis.com/"),
            "google_account": CONSOLE,
        }
