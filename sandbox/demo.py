"""`make demo`: the whole console with a sandbox instead of clouds and clusters. Ctrl-C ends all of it.

Every start is a fresh world: the sandbox lives in memory, so a database that remembers another one would mislead.
"""

import argparse
import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sandbox import console, engines, google_demo, openbao_demo, world
from sandbox.aws import Cloud
from sandbox.azure import Azure
from sandbox.kubernetes.__main__ import write
from sandbox.oidc import Issuer
from sandbox.processes import Died, Processes
from sandbox.scaleway import IAM, READ, Scaleway
from sandbox.scaleway_kapsule import MASTERS
from sandbox.vendors import Vendors

# Secret managers that have one address for everybody → the setting that leads elsewhere.
FIXED = {"doppler": "DOPPLER_ENDPOINT_URL"}
SEED = "from sandbox import seed; seed.seed({subject!r})"


# Whom the EKS cluster lets in: the key that the guide hands out, and a role as the console's help names it.
EKS_ACCESS = (
    f"arn:aws:iam::{world.ACCOUNT}:user/console",
    f"arn:aws:iam::{world.ACCOUNT}:role/keyhaven-console",
)
# File → what `sandbox.kubernetes` is started with. The last cluster is of no cloud, with an issuer that clouds reach.
CLUSTERS = {
    "kubeconfig": ("--kind", "eks", "--eks", "prod", *(f"--access={arn}" for arn in EKS_ACCESS)),
    "kubeconfig-gke": ("--kind", "gke", "--gke", google_demo.CONSOLE),
    "kubeconfig-aks": ("--kind", "aks", "--aks", "prod"),
    "kubeconfig-kapsule": ("--kind", "kapsule", "--kapsule", "shop"),
    "kubeconfig-onprem": ("--kind", "plain", "--issuer", "https://oidc.acme.example"),
}


def environment_of(
    folder: Path, found: dict[str, str], port: int, endpoints: dict[str, str]
) -> dict[str, str]:
    """Return what tells the console that its clouds are the sandbox: addresses alone."""
    chart = console.ROOT / "sandbox" / "chart" / "external-secrets"
    return console.kept_keys(folder) | found | endpoints | {
        "BASE_URL": f"http://localhost:{port}",
        "OPERATOR_CHART": str(chart),
        "OPERATOR_CHART_VERSION": "2.9.0",
        "STATIC_ROOT": str(folder / "static"),
        "SYNC_TIMEOUT": "30",
        # Nobody is mailed: what would be sent is there to read.
        "EMAIL_URL": f"file://{quote(str(folder / 'mail'))}",
        "AUDIT_FILES_DIR": str(folder / "audit-files"),
    }  # fmt: skip


def own_identity(cloud: Cloud) -> dict[str, str]:
    """Return who the console is at AWS: a user in an account of its own, who may assume roles and nothing else."""
    key_id, secret = cloud.keys["keyhaven"]
    return {"CONSOLE_AWS_ACCESS_KEY_ID": key_id, "CONSOLE_AWS_SECRET_ACCESS_KEY": secret}


@contextmanager
def azure(folder: Path) -> Iterator[tuple[Azure, str]]:
    """Run the Azure stand-in and yield it with the path of a credential."""
    with Azure() as running:
        path, app = folder / "azure-credential.json", running.apps["console"]
        scope = f"/subscriptions/{app['subscription']}"
        running.plant("assign", object=app["object"], role="Key Vault Secrets Officer", scope=scope)
        write(path, json.dumps(app | {"vault": running.vault}, indent=2))
        yield running, str(path)


@contextmanager
def scaleway(folder: Path) -> Iterator[dict[str, str]]:
    """Run the Scaleway stand-in, which knows one key, and one cluster that is being made besides the running one; yield
    its address."""
    with Scaleway() as running:
        # As the other clusters do, this one lets the key do everything.
        key = running.credential((READ, IAM, MASTERS))
        write(folder / "scaleway-credential.json", json.dumps(key, indent=2))
        running.cluster("staging", status="creating")
        yield {"SCALEWAY_ENDPOINT_URL": running.url}


@contextmanager
def secret_managers(folder: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Run the stand-ins of secret managers without a server to run; yield a file of their addresses and credentials, and
    where the console and the operator find the ones whose address nobody types."""
    with Vendors() as vendors:
        path = folder / "secret-managers.json"
        write(path, json.dumps(vendors.facts, indent=2))
        yield (
            path,
            {name: vendors.facts[slug]["url"] for slug, name in FIXED.items() if slug in vendors.facts},
        )


def start_clusters(
    processes: Processes, folder: Path, endpoints: dict[str, str], principal: str, scaleway_url: str
) -> None:
    """Start the clusters; the clouds learn the keys of their issuers. AKS lets the service principal do everything."""
    clouds = [url for url in endpoints.values() if url]
    trust = [word for url in clouds for word in ("--trust", url)]
    of_clouds = [
        "--aws-url", endpoints["AWS_ENDPOINT_URL"], "--google-url", endpoints["GOOGLE_ENDPOINT_URL"],
        "--azure-url", endpoints["AZURE_ENDPOINT_URL"], "--scaleway-url", scaleway_url,
    ]  # fmt: skip
    for name, options in CLUSTERS.items():
        (folder / name).unlink(missing_ok=True)
        access = ["--access", principal] if options[1] == "aks" else []
        processes.start(
            f"cluster-{options[1]}", "sandbox.kubernetes", "--kubeconfig", str(folder / name), *options, *access,
            *of_clouds, *trust,
        )  # fmt: skip


def wait_for_clusters(processes: Processes, folder: Path, seconds: float = 60) -> None:
    """Wait until each cluster has written its kubeconfig, the last thing it does.

    :raises Died: a child ended meanwhile
    :raises TimeoutError: one never came up
    """
    until = time.monotonic() + seconds
    while not all((folder / name).exists() for name in CLUSTERS):
        processes.check()
        if time.monotonic() > until:
            raise TimeoutError(
                f"A cluster is not up after {seconds:.0f} s. The logs are in {processes.logs}."
            )
        time.sleep(0.1)


@contextmanager
def running(folder: Path, port: int) -> Iterator[tuple[Processes, dict[str, Any]]]:
    """Run everything and yield the processes and what a newcomer needs to know."""
    port = console.free_port(port)
    # The keys stay; the database does not.
    shutil.rmtree(folder / "postgres", ignore_errors=True)
    for name in ("mail", "audit-files"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with (
        engines.running(folder) as found,
        Cloud() as cloud,
        google_demo.running(folder, f"http://localhost:{port}") as google,
        azure(folder) as (entra, azure_path),
        scaleway(folder) as scaleway_url,
        secret_managers(folder) as (managers_path, managers),
        openbao_demo.running(folder) as (openbao, vault),
        Issuer() as issuer,
    ):
        endpoints = {
            "AWS_ENDPOINT_URL": cloud.url,
            "GOOGLE_ENDPOINT_URL": google["google_url"],
            "AZURE_ENDPOINT_URL": entra.url,
        }
        environment = environment_of(folder, found, port, endpoints)
        environment |= own_identity(cloud) | scaleway_url | managers
        subject = f"keyhaven-{uuid.uuid4().hex}"
        entra.federate("console", environment["BASE_URL"], subject)
        with Processes(folder / "logs", environment) as processes:
            principal = entra.apps["console"]["object"]
            start_clusters(processes, folder, endpoints, principal, scaleway_url["SCALEWAY_ENDPOINT_URL"])
            start_product(processes, environment, port, subject)
            wait_for_clusters(processes, folder)
            facts = facts_of(folder, environment, cloud)
            facts |= google | {"oidc": issuer.facts, "openbao": vault}
            facts |= {"azure_url": entra.url, "azure_credential": azure_path}
            openbao_demo.trust(openbao, facts["kubeconfigs"])
            facts |= {"secret_managers": str(managers_path), "subject": subject}
            facts |= {"role": cloud.console_role("keyhaven-console", subject)}
            yield processes, facts


def start_product(processes: Processes, environment: dict[str, str], port: int, subject: str) -> None:
    """Bring its database up to date, start the console and its worker, and fill it; return when it answers."""
    console.manage(environment, ("migrate", "-v", "0"), ("collectstatic", "--no-input", "-v", "0"))
    console.start_worker(processes)
    console.start_console(processes, port)
    console.manage(environment, ("shell", "-v", "0", "-c", SEED.format(subject=subject)))
    console.wait_until_healthy(processes, port)


def facts_of(folder: Path, environment: dict[str, str], cloud: Cloud) -> dict[str, Any]:
    """Return addresses, paths and keys, for the guide and for tests."""
    return {
        "address": environment["BASE_URL"],
        "kubeconfig": str(folder / "kubeconfig"),
        "kubeconfigs": {options[1]: str(folder / name) for name, options in CLUSTERS.items()},
        "access_key_id": cloud.access_key_id,
        "secret_access_key": cloud.secret_access_key,
        "keys": cloud.keys,
        "aws_url": cloud.url,
        "scaleway_credential": str(folder / "scaleway-credential.json"),
        "logs": str(folder / "logs"),
        "mail": str(folder / "mail"),
        "database_url": environment["DATABASE_URL"],
        "redis_url": environment["REDIS_URL"],
    }


def screen(facts: dict[str, Any], seconds: float) -> str:
    """Return what the newcomer reads."""
    kubeconfig = os.path.relpath(facts["kubeconfig"])
    return f"""
Keyhaven is ready after {seconds:.0f} s:  {facts["address"]}

  Sign in    devops@example.com   (also owner@, admin@, auditor@, viewer@; developer@ sees the shop on staging alone)
  Password   {world.PASSWORD}

The main job, in five minutes:
  1. Connect cluster: paste the kubeconfig        cat {kubeconfig}
  2. Add secret manager: AWS Secrets Manager, access key
       Region             {world.REGIONS[0]}  (or {world.REGIONS[1]})
       Access key ID      {facts["access_key_id"]}
       Secret access key  {facts["secret_access_key"]}
  3. Browse secrets, for example prod/, and link prod/db-password to shop/api
  4. Deploy, and watch it
  5. Look:  kubectl --kubeconfig {kubeconfig} get clustersecretstores,externalsecrets,secrets -A

{other_ways(facts)}
The clouds, the clusters and the operator are stand-ins in memory; PostgreSQL, Valkey, OpenBao,
Celery, Helm and the console are real.
Logs are in {os.path.relpath(facts["logs"])}, mails in {os.path.relpath(facts["mail"])}. Ctrl-C ends everything.
"""


def other_ways(facts: dict[str, Any]) -> str:
    """Return the lines about the other clusters, clouds and secret managers."""
    kubeconfig = os.path.relpath(facts["kubeconfig"])
    keys = [os.path.relpath(facts[name]) for name in ("google_key", "google_console_key")]
    return f"""Other ways in:
  The cluster is an EKS one. There are also {kubeconfig}-gke (GKE), {kubeconfig}-aks (AKS),
  {kubeconfig}-kapsule (Kapsule) and {kubeconfig}-onprem (of no cloud, public issuer).
  AWS               without a key: {facts["role"]},
                    which lets the console in for Acme Platform alone (external id {facts["subject"]})
                    or a key: {" ".join(facts["keys"]["console"])}
                    Both find the EKS cluster prod in {world.REGIONS[0]} and sign in to it; automatic access makes roles
                    named keyhaven-* with them
  Google            without a key: project {facts["google_project"]}, service account {facts["google_account"]},
                    provider {facts["google_provider"]}
                    or its key {keys[1]}; both find the GKE cluster. For an access: {keys[0]}
  Azure             {os.path.relpath(facts["azure_credential"])}, by federation or with its secret; finds the AKS cluster prod
                    With its secret, as service principal, it reads and writes the key vault {world.KEY_VAULT}
  Scaleway          {os.path.relpath(facts["scaleway_credential"])}; finds the Kapsule cluster shop, and staging, which is
                    being made
{openbao_demo.guide(facts["openbao"], os.path.relpath(facts["openbao"]["file"]))}
  Secret managers   addresses and credentials of the others are in {os.path.relpath(facts["secret_managers"])}
  Single sign-on    issuer {facts["oidc"]["issuer"]}  client {facts["oidc"]["client_id"]}  secret {facts["oidc"]["client_secret"]}
                    people of acme.example; as owner@, in Settings, Signing in (docs/single-sign-on.md)
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
    parser.add_argument(
        "--folder", type=Path, default=Path(".demo"), help="where it keeps keys, logs and data"
    )
    parser.add_argument("--json", type=Path, help="write the addresses and keys here once all is well")
    arguments = parser.parse_args()
    engines.end_on_signals()
    began = time.monotonic()
    try:
        with running(arguments.folder.resolve(), arguments.port) as (processes, facts):
            if arguments.json:
                write(arguments.json, json.dumps(facts))
            print(screen(facts, time.monotonic() - began), flush=True)
            processes.watch()
    except KeyboardInterrupt:
        print("Ended.")
        return 0
    except (console.PortTaken, console.CommandFailed, Died, TimeoutError) as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
