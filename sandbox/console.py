"""The console and a worker as child processes, on the engines that the environment names."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from sandbox import engines
from sandbox.processes import Processes

ROOT = Path(__file__).resolve().parent.parent


class CommandFailed(Exception):
    """A management command failed."""


class PortTaken(Exception):
    """Something else listens on the port that was asked for."""


def free_port(wanted: int) -> int:
    """Return the port if nobody listens there, or a free one for 0.

    :raises PortTaken: somebody does
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise PortTaken(f"Port {wanted} is in use. Try PORT={wanted + 1}.") from error
        return int(probe.getsockname()[1])


def kept_keys(folder: Path) -> dict[str, str]:
    """Return the keys of this folder's console, made at the first time, readable by their owner alone."""
    path = folder / "keys.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(engines.keys(), file)
    keys: dict[str, str] = json.loads(path.read_text())
    return keys


def manage(environment: dict[str, str], *commands: tuple[str, ...]) -> None:
    """Run management commands side by side, each to its end.

    :raises CommandFailed: with the name of one that failed; its own words are on the terminal already
    """
    running = [
        subprocess.Popen([sys.executable, "manage.py", *command], cwd=ROOT, env={**os.environ, **environment})
        for command in commands
    ]
    failed = [command[0] for command, child in zip(commands, running, strict=True) if child.wait()]
    if failed:
        raise CommandFailed(f"manage.py {failed[0]} failed.")


def start_worker(processes: Processes) -> None:
    """Start a Celery worker."""
    processes.start(
        "worker", "celery", "-A", "config", "worker", "-Q", "deploys,default", "--concurrency", "2",
        "--loglevel", "INFO",
    )  # fmt: skip


def start_console(processes: Processes, port: int) -> None:
    """Start gunicorn; the static files must be collected by now."""
    processes.start(
        "console", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread",
        "--workers", "2", "--threads", "8", "--access-logfile", "-",
        "--access-logformat", '%(h)s "%(m)s %(U)s" %(s)s %(M)sms',
    )  # fmt: skip


def wait_until_healthy(processes: Processes, port: int, seconds: float = 90) -> None:
    """Wait until /healthz says that all is well.

    :raises Died: a child ended meanwhile
    :raises TimeoutError: it never became well
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        processes.check()
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2).read()
        except (OSError, urllib.error.URLError):
            time.sleep(0.15)
        else:
            return
    raise TimeoutError(f"The console is not healthy after {seconds:.0f} s. Its logs are in {processes.logs}.")
