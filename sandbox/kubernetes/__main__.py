"""`python -m sandbox.kubernetes --kubeconfig PATH [--port N] [--aws-url URL]`: the sandbox cluster in a process of its own.

With `--aws-url` it holds the demo's workloads, and what plays the operator reads from there.
"""

import argparse
import os
import signal
import threading
from pathlib import Path

from sandbox import world
from sandbox.kubernetes import Cluster


def write(path: Path, text: str) -> None:
    """Write a file that only its owner reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.kubernetes", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--aws-url", default="")
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with Cluster(arguments.port) as cluster:
        if arguments.aws_url:
            from sandbox.reconciler import Reconciler

            cluster.load(list(world.manifests()))
            Reconciler(cluster, arguments.aws_url).start()
        write(arguments.kubeconfig, cluster.kubeconfig())
        print(cluster.url, flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
