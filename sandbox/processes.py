"""Child processes that begin and end together, each with a log of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self


class Died(Exception):
    """A child ended by itself; the text names it and holds its last lines."""


class Processes:
    """Starts children, watches them, ends them; use it as a context manager."""

    def __init__(self, logs: Path, environment: dict[str, str]) -> None:
        # What runs is not the owner of the database's tables, and does not learn how to be.
        self.logs, self.environment = logs, environment | {"DATABASE_OWNER_URL": ""}
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, *command: str) -> None:
        """Start `python -m …` with its output in a log file.

        The child gets a process group of its own: Ctrl-C reaches this process alone, which ends the others in order.
        """
        with (self.logs / f"{name}.log").open("wb") as log:
            self._children[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise `Died` if a child has ended."""
        for name, child in self._children.items():
            if child.poll() is not None:
                raise Died(f"The {name} ended with {child.returncode}. Its last lines:\n{self.tail(name)}")

    def tail(self, name: str, lines: int = 12) -> str:
        """Return the last lines of a child's log."""
        return "\n".join((self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])

    def watch(self) -> None:
        """Wait until a child dies or somebody wants an end."""
        while True:
            self.check()
            time.sleep(0.5)

    def stop(self) -> None:
        """End the children, newest first; those that do not listen are killed with their own children."""
        for child in reversed(self._children.values()):
            if child.poll() is None:
                child.terminate()
        until = time.monotonic() + 15
        for child in reversed(self._children.values()):
            try:
                child.wait(timeout=max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self._children.clear()
