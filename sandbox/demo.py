"""`make demo`: the whole console with a sandbox instead of clouds and clusters. Ctrl-C ends all of it.

Every start is a fresh world: the sandbox lives in memory, so a database that remembers another one would mislead.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox import console, engines, world
from sandbox.aws import Cloud
from sandbox.kubernetes.__main__ import write
from sandbox.processes import Died, Processes

SEED = "from sandbox import seed; seed.seed()"


def environment_of(folder: Path, found: dict[str, str], port: int, aws_url: str) -> dict[str, str]:
    """Return what tells the console that its cloud is the sandbox: addresses alone."""
    chart = console.ROOT / "sandbox" / "chart" / "external-secrets"
    return console.kept_keys(folder) | found | {
        "BASE_URL": f"http://localhost:{port}",
        "AWS_ENDPOINT_URL": aws_url,
        "OPERATOR_CHART": str(chart),
        "OPERATOR_CHART_VERSION": "2.9.0",
        "STATIC_ROOT": str(folder / "static"),
        "SYNC_TIMEOUT": "30",
    }  # fmt: skip


@contextmanager
def running(folder: Path, port: int) -> Iterator[tuple[Processes, dict[str, Any]]]:
    """Run everything and yield the processes and what a newcomer needs to know."""
    port = console.free_port(port)
    # The keys stay; the database does not.
    shutil.rmtree(folder / "postgres", ignore_errors=True)
    kubeconfig = folder / "kubeconfig"
    kubeconfig.unlink(missing_ok=True)
    with engines.running(folder) as found, Cloud() as cloud:
        environment = environment_of(folder, found, port, cloud.url)
        with Processes(folder / "logs", environment) as processes:
            processes.start(
                "cluster", "sandbox.kubernetes", "--kubeconfig", str(kubeconfig), "--aws-url", cloud.url
            )
            console.manage(environment, ("migrate", "-v", "0"), ("collectstatic", "--no-input", "-v", "0"))
            console.start_worker(processes)
            console.start_console(processes, port)
            console.manage(environment, ("shell", "-v", "0", "-c", SEED))
            console.wait_until_healthy(processes, port)
            yield (
                processes,
                {
                    "address": environment["BASE_URL"],
                    "kubeconfig": str(kubeconfig),
                    "access_key_id": cloud.access_key_id,
                    "secret_access_key": cloud.secret_access_key,
                    "aws_url": cloud.url,
                    "logs": str(folder / "logs"),
                    "database_url": found["DATABASE_URL"],
                    "redis_url": found["REDIS_URL"],
                },
            )


def screen(facts: dict[str, Any], seconds: float) -> str:
    """Return what the newcomer reads."""
    kubeconfig = os.path.relpath(facts["kubeconfig"])
    return f"""
Keyhaven is ready after {seconds:.0f} s:  {facts["address"]}

  Sign in    devops@example.com   (also owner@, admin@, auditor@, viewer@)
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

AWS, the cluster and the operator are stand-ins in memory; PostgreSQL, Valkey, Celery, Helm and the console are real.
Logs are in {os.path.relpath(facts["logs"])}. Ctrl-C ends everything.
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
