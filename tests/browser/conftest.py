"""A real demo and a real browser."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tools import need

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> str:
    return str(need(next(filter(None, map(shutil.which, BROWSERS)), None), "Chromium"))


@pytest.fixture(scope="session")
def kubectl() -> str:
    return str(need(shutil.which("kubectl"), "kubectl"))


@pytest.fixture(scope="session")
def demo(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run `make demo`'s runner on a free port and yield what it tells a newcomer."""
    folder = tmp_path_factory.mktemp("demo")
    facts = folder / "facts.json"
    ours = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "STYLEGUIDE", "SYNC_TIMEOUT", "BASE_URL")
    environment = {name: text for name, text in os.environ.items() if name not in ours}
    with (folder / "screen.txt").open("w") as screen:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "sandbox.demo",
                "--port",
                "0",
                "--folder",
                str(folder),
                "--json",
                str(facts),
            ],
            cwd=project,
            env=environment,
            stdout=screen,
            stderr=subprocess.STDOUT,
        )
    try:
        until = time.monotonic() + 300
        while not facts.exists() or not facts.read_text():
            assert process.poll() is None, (folder / "screen.txt").read_text()
            assert time.monotonic() < until, "the demo is not ready after five minutes"
            time.sleep(0.2)
        yield json.loads(facts.read_text()) | {"pid": process.pid}
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def complains(message: Any) -> bool:
    """Tell a complaint from the note that a form came back with what is wrong in it."""
    return message.type == "error" and "status of 422" not in message.text


@pytest.fixture
def page(chromium: str, demo: dict[str, Any]) -> Iterator[Any]:
    """A fresh browser at the demo; a complaint of the browser's console fails the test."""
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_context(
            viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
        ).new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: complaints.append(message.text) if complains(message) else None)
        page.goto(demo["address"])
        yield page
        browser.close()
    assert complaints == []
