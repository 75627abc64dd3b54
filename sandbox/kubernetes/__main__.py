"""`python -m sandbox.kubernetes --kubeconfig PATH`: a sandbox cluster in a process of its own; `--help` has the rest.

With `--aws-url` it holds the demo's workloads, and what plays the operator reads from there.
"""

import argparse
import json
import os
import signal
import threading
import urllib.request
from pathlib import Path

from sandbox import world
from sandbox.kubernetes import Cluster, flavours


def write(path: Path, text: str) -> None:
    """Write a file that only its owner reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def publish(cluster: Cluster, cloud: str) -> None:
    """Let a cloud's stand-in know the keys of the cluster's issuer, as a cloud fetches those of a public one."""
    body = json.dumps({"issuer": cluster.issuer, "jwks": cluster.jwks()}).encode()
    request = urllib.request.Request(  # noqa: S310
        f"{cloud}/sandbox/issuers", data=body, headers={"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).read()  # noqa: S310


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.kubernetes", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--kind", choices=tuple(flavours.KINDS), default="sandbox")
    parser.add_argument("--issuer", default="", help="of its ServiceAccounts' tokens; each kind has its own")
    parser.add_argument("--aws-url", default="", help="what plays AWS")
    parser.add_argument("--google-url", default="", help="what plays Google")
    parser.add_argument(
        "--eks", default="", metavar="NAME", help="how AWS's stand-in knows it, as an EKS cluster"
    )
    parser.add_argument("--azure-url", default="", help="what plays Azure")
    parser.add_argument(
        "--aks", default="", metavar="NAME", help="how Azure's stand-in knows it, as an AKS cluster"
    )
    parser.add_argument("--scaleway-url", default="", help="what plays Scaleway")
    parser.add_argument(
        "--kapsule", default="", metavar="NAME", help="how Scaleway's stand-in knows it, as a Kapsule cluster"
    )
    parser.add_argument(
        "--access",
        action="append",
        default=[],
        metavar="ARN",
        help="whom EKS (an ARN) or AKS (an object ID) lets do everything",
    )
    parser.add_argument(
        "--gke", default="", metavar="EMAIL", help="whom a GKE cluster lets do everything; Google tells of it"
    )
    parser.add_argument(
        "--trust", action="append", default=[], metavar="URL", help="a cloud that fetches the issuer's keys"
    )
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with Cluster(arguments.port, arguments.kind, arguments.issuer) as cluster:
        cluster.azure_url = arguments.azure_url
        if arguments.aws_url:
            from sandbox.reconciler import Reconciler

            cluster.load(list(world.manifests(arguments.kind)))
            Reconciler(cluster, arguments.aws_url, arguments.google_url).start()
        for cloud in arguments.trust:
            publish(cluster, cloud)
        if arguments.eks:
            from sandbox import aws

            aws.enroll(arguments.aws_url, cluster, arguments.eks, arguments.access)
        if arguments.aks:
            from sandbox import azure

            azure.enroll(arguments.azure_url, cluster, arguments.aks, arguments.access)
        if arguments.gke:
            from sandbox import google_gke

            google_gke.enroll(arguments.google_url, cluster, arguments.gke)
        if arguments.kapsule:
            from sandbox import scaleway_kapsule

            scaleway_kapsule.enroll(arguments.scaleway_url, cluster, arguments.kapsule)
        write(arguments.kubeconfig, cluster.kubeconfig())
        print(cluster.url, flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
