"""The part of `make bench` about the start: what importing the console costs with all providers, and without their SDKs.

`python -m tests.bench imports` alone. Each run is a process of its own, and they take turns; what counts is processor time,
which other work on the machine does not change. The console must not load a vendor's SDK before it is used.
"""

import json
import os
import statistics
import subprocess
import sys

RUNS = int(os.environ.get("IMPORTS_RUNS", "7"))
# How much dearer the start may be than without them.
MOST = 1.2
SDKS = ("boto3", "botocore", "google", "grpc", "azure", "msal", "hvac", "kubernetes", "helm_sdkpy", "httpx")
_CODE = """
import importlib.abc, json, sys, time
sys.path.insert(0, "secrets")
blocked, eager = set(sys.argv[1].split()), sys.argv[2].split()

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Blocked())
began = time.process_time()
import django
django.setup()
import config.urls
for name in eager:
    __import__(name)
taken = time.process_time() - began
from accesses.providers import PROVIDERS
print(json.dumps([taken, len(PROVIDERS), sorted({name.partition(".")[0] for name in sys.modules})]))
"""
_SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "SECRET_KEY": "only-for-measuring-the-imports-000000",
    "FIELD_ENCRYPTION_KEY": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
    "DATABASE_URL": "postgresql:///unused",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def start(blocked: tuple[str, ...] = (), eager: tuple[str, ...] = ()) -> tuple[float, int, set[str]]:
    """Import the console in a process of its own; return its seconds, how many providers there are, and what is loaded.

    `blocked` are packages that are not there for it, `eager` are imported as if the console did.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _CODE, " ".join(blocked), " ".join(eager)],
        env=os.environ | _SETTINGS,
        capture_output=True,
        text=True,
        check=True,
    )
    taken, count, loaded = json.loads(done.stdout.splitlines()[-1])
    return float(taken), int(count), set(loaded)


def main() -> None:
    start()
    mine, without, eager = [], [], []
    for _ in range(RUNS):
        seconds, count, loaded = start()
        mine.append(seconds)
        without.append(start(blocked=SDKS)[0])
        eager.append(start(eager=("boto3", "google.cloud.secretmanager"))[0])
    early = sorted(loaded & set(SDKS))
    all_of_it, least, dear = map(statistics.median, (mine, without, eager))
    print(
        f"the console is imported, {count} providers    {all_of_it:.2f} s   {all_of_it / least:.2f} x without SDKs ({least:.2f} s)"
    )
    print(f"with two SDKs loaded at the start             {dear:.2f} s   {dear / least:.2f} x")
    print(f"SDKs that are loaded at the start             {', '.join(early) or 'none'}")
    if early or all_of_it > MOST * least:
        raise SystemExit(f"The start may load no SDK, and cost at most {MOST} times as much as without them.")


if __name__ == "__main__":
    main()
