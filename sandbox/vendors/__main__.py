"""Serves every stand-in until SIGTERM or SIGINT; prints one line of JSON with their addresses and credentials."""

import argparse
import json
import signal
import threading
from importlib import import_module

from sandbox.vendors.base import Server, Vendor

# One line each: the module in this package whose `VENDOR` it is.
MODULES: tuple[str, ...] = (
    "beyondtrust",
    "conjur",
    "doppler",
    "delinea_dsv",
    "delinea_secret_server",
    "http_source",
    "onepassword",
    "elasticsearch",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.vendors", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the first one; the others follow it")
    parser.add_argument("--count", type=int, default=0, help="not used: each has as many secrets as it has")
    port = parser.parse_args().port
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    vendors: list[Vendor] = [import_module(f"sandbox.vendors.{name}").VENDOR() for name in MODULES]
    servers = [Server(one, port + at if port else 0) for at, one in enumerate(vendors)]
    for server in servers:
        server.start()
    said = {one.slug: {"url": one.url} | one.facts() for one in vendors}
    print(json.dumps({"url": vendors[0].url if vendors else "", "vendors": said}), flush=True)
    ended.wait()
    for server in servers:
        server.shutdown()


if __name__ == "__main__":
    main()
