"""`make demo` begins and ends cleanly."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.worker

OURS = (
    "DATABASE_URL",
    "REDIS_URL",
    "DJANGO_SETTINGS_MODULE",
    "STYLEGUIDE",
    "SYNC_TIMEOUT",
    "BASE_URL",
    "PORT",
)


def start(project: Path, folder: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox.demo", "--port", str(port), "--folder", str(folder)],
        cwd=project,
        env={name: text for name, text in os.environ.items() if name not in OURS},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that have something to do with the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (path / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line or f"STATIC_ROOT={folder}" in environment:
            found.append(line)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_and_leaves_nothing_behind(project, tmp_path, number):
    port = free_port()
    process = start(project, tmp_path, port)
    screen = ""
    until = time.monotonic() + 120
    while "Ctrl-C" not in screen and time.monotonic() < until:
        screen += process.stdout.readline() if process.stdout else ""
    kubeconfigs = sorted(tmp_path.glob("kubeconfig*"))
    modes = {path.stat().st_mode & 0o777 for path in kubeconfigs}
    health = urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).read().decode()

    process.send_signal(number)
    process.communicate(timeout=60)

    assert f"http://localhost:{port}" in screen
    assert "devops@example.com" in screen
    assert [path.name for path in kubeconfigs] == [
        "kubeconfig", "kubeconfig-aks", "kubeconfig-gke", "kubeconfig-kapsule", "kubeconfig-onprem",
    ]  # fmt: skip
    assert modes == {0o600}
    assert "kubeconfig-onprem" in screen
    assert health.count('"ok"') == 3
    assert process.returncode == 0
    assert processes_of(tmp_path) == []
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=2)


def test_a_taken_port_is_said(project, tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]

        process = start(project, tmp_path, port)
        said: Any = process.communicate(timeout=60)[0]

    assert process.returncode == 1
    assert f"Port {port} is in use" in said
