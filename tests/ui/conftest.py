"""A real Chromium at a live server, signed in or not."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.conftest import FLAGS
from tests.browser.conftest import chromium as chromium

type Open = Callable[..., Any]

# What the browser says of a request that a test breaks on purpose.
BROKEN = ("net::ERR", "status of", "Response Status Error", "htmx:sendError", "htmx:afterRequest")


@pytest.fixture
def visit(live_server: Any, owner: Any, client: Any, chromium: str, monkeypatch: Any) -> Iterator[Open]:
    """Return a function that opens a path in a fresh context; a complaint of the browser fails the test.

    Playwright's loop lives in this thread, so Django would refuse the database to the fixtures that clean up.
    """
    from playwright.sync_api import sync_playwright

    client.force_login(owner)
    session = {"name": "session", "value": client.cookies["session"].value, "url": live_server.url}
    complaints: list[str] = []
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))

        def act(path: str, *, signed_in: bool = False, width: int = 1360, **options: Any) -> Any:
            options.setdefault("reduced_motion", "reduce")
            context = browser.new_context(viewport={"width": width, "height": 850}, **options)
            if signed_in:
                context.add_cookies([session])
            page = context.new_page()
            page.set_default_timeout(10_000)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
            page.goto(live_server.url + path)
            return page

        yield act
        browser.close()
    assert [text for text in complaints if not any(word in text for word in BROKEN)] == []
