"""Ten thousand forms, queries and calls that nobody means to send: each is answered, and none with an error of ours."""

import json
import random
import re
import time
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from tests.api.world import ROWS, operations, path_of
from tests.external_secrets.hostile import SEEN, UNKEEPABLE, encoded
from tests.security import crawl
from tests.security.payloads import PAYLOADS

pytestmark = pytest.mark.django_db

PARTS, IN_ALL = 10, 10_000
NUMBERS = (
    "-1",
    "0",
    "1e308",
    "99999999999999999999",
    "-9223372036854775809",
    "NaN",
    "Infinity",
    "1.5",
    "0x10",
    "１",
)
TIMES = (
    "2026-02-30",
    "0000-00-00",
    "9999-12-31T23:59:60Z",
    "1970-01-01T00:00:00+99:99",
    "-1",
    "now",
    "24:00",
)
IDS = (
    "00000000-0000-0000-0000-000000000000",
    "not-a-uuid",
    "{}",
    "' OR 1=1 --",
    "1); DROP TABLE accounts_user; --",
)
LONG = ("x" * 5_000, "🏳️‍🌈" * 2_000, "(" * 3_000, "a." * 2_000, "%" * 999, "[" * 2_000, "\n" * 3_000)
TEXTS = (*SEEN, *UNKEEPABLE, *NUMBERS, *TIMES, *IDS, *LONG, *PAYLOADS, "")
QUERIES = (
    "q", "cursor", "after", "before", "since", "until", "action", "actor", "origin", "outcome", "page", "limit", "sort",
    "next", "format", "view", "target", "address", "pick", "access", "key", "service", "namespace", "name", "tab", "then",
    "link", "role", "cluster", "secret", "permission", "state", "error", "code", "iss", "provider", "method", "cloud",
)  # fmt: skip
HEADERS = (
    {}, {"HX-Request": "true"}, {"HX-Request": "true", "HX-Target": "\x7f'\"<b>", "HX-Current-URL": "https://evil.example/"},
    {"Accept": "*/*;q=x", "Accept-Language": "x" * 500}, {"Referer": "http://[::1"}, {"User-Agent": "\x1b[31m" * 50},
    {"HX-Boosted": "true", "HX-Current-URL": "http://["}, {"Content-Language": "é"}, {"If-None-Match": '"'},
)  # fmt: skip


class Things(dict[str, Any]):
    """The world's objects by the names that rows of the API's table use; one that is not there has a number nobody has."""

    def __missing__(self, name: str) -> Any:
        return SimpleNamespace(pk=2**31 - 1, name="nobody", updated_at=timezone.now())


class Fuzz:
    """A seeded sequence of requests; what each leaves behind is undone."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.wrong: list[str] = []
        self.cost: list[float] = []

    def text(self) -> str:
        if self.random.random() < 0.2:
            return "".join(chr(self.random.randrange(1, 0x2FFF)) for _ in range(self.random.randrange(40)))
        return self.random.choice(TEXTS)

    def fields(self, form: crawl.Form) -> dict[str, str]:
        """Return a form's fields as they stand there, some with another text, some gone, some more."""
        names = [*{*form.fields, *form.choices}]
        given = {name: str(form.fields.get(name) or "") for name in names}
        for name in names:
            if not given[name] and form.choices.get(name):
                given[name] = self.random.choice(form.choices[name])
        for name in self.random.sample(names, min(len(names), self.random.randrange(1, 4))):
            given[name] = self.text()
        if names and self.random.random() < 0.1:
            del given[self.random.choice([*given])]
        if self.random.random() < 0.1 or not names:
            given[self.random.choice(QUERIES)] = self.text()
        return given

    def ask(self, what: str, send: Any) -> None:
        started = time.thread_time()
        with transaction.atomic():
            response = send()
            body = b"".join(response.streaming_content) if response.streaming else response.content
            transaction.set_rollback(True)
        self.cost.append(time.thread_time() - started)
        running = [] if response.streaming else crawl.read("/", response).running
        unfit = response.status_code >= 500 and not (response.status_code == 502 and "/api/" in what)
        if unfit or running or b"Traceback" in body:
            self.wrong.append(f"{response.status_code} {what[:300]} {running[:1]}")


def form_posts(fuzz: Fuzz, browser: Any, forms: dict[str, crawl.Form], count: int) -> None:
    urls = sorted(forms)
    for number in range(count):
        url = urls[number % len(urls)]
        given, headers = fuzz.fields(forms[url]), fuzz.random.choice(HEADERS)
        body = encoded(given)
        fuzz.ask(
            f"POST {url} {given!r} {headers!r}",
            partial(browser.post, url, body, "application/x-www-form-urlencoded", headers=headers),
        )


def queries(fuzz: Fuzz, browser: Any, urls: list[str], count: int) -> None:
    for number in range(count):
        url = urls[number % len(urls)]
        if fuzz.random.random() < 0.1:
            parts = url.split("/")
            parts[fuzz.random.randrange(1, len(parts))] = encoded({"": fuzz.text()[:300]})[1:]
            url = "/" + "/".join(parts).lstrip("/")
        asked = {name: fuzz.text()[:2_000] for name in fuzz.random.sample(QUERIES, 3)}
        headers = fuzz.random.choice(HEADERS)
        fuzz.ask(
            f"GET {url} {asked!r} {headers!r}",
            partial(browser.get, url, headers=headers, QUERY_STRING=encoded(asked)),
        )


def spoiled(fuzz: Fuzz, body: Any) -> Any:
    """Return a JSON document with one of its values of another kind."""
    odd = [
        None,
        True,
        -1,
        2**70,
        1e308,
        [],
        {},
        [[]],
        {"a": {}},
        fuzz.text(),
        [fuzz.text()],
        {fuzz.text(): fuzz.text()},
    ]
    if not isinstance(body, dict) or not body or fuzz.random.random() < 0.1:
        return fuzz.random.choice(odd)
    changed = dict(body)
    name = fuzz.random.choice([*body, "unknown"])
    changed[name] = spoiled(fuzz, body[name]) if isinstance(body.get(name), dict) else fuzz.random.choice(odd)
    return changed


def calls(fuzz: Fuzz, call: Any, things: Any, count: int) -> None:
    names = sorted(ROWS)
    for number in range(count):
        name = names[number % len(names)]
        row = {key: value(things) if callable(value) else value for key, value in ROWS[name].items()}
        body = row.pop("body", None)
        if row and fuzz.random.random() < 0.4:
            row[fuzz.random.choice([*row])] = re.sub("[{}]", "", encoded({"": fuzz.text()[:300]})[1:])
        path = (
            path_of(name, row)
            + "?"
            + encoded({key: fuzz.text()[:500] for key in fuzz.random.sample(QUERIES, 2)})
        )
        sent = json.dumps(spoiled(fuzz, body)) if body is not None else None
        if sent and fuzz.random.random() < 0.1:
            sent = sent[: fuzz.random.randrange(len(sent))]
        headers = {"Idempotency-Key": "a" * fuzz.random.randrange(300)} if fuzz.random.random() < 0.2 else {}
        method = operations()[name][0].upper()
        fuzz.ask(f"{method} /api/{path} {sent!r}", partial(call, method, path, sent, **headers))


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_is_sent_is_answered(part, world, browser, call_as, owner):
    fuzz, count = Fuzz(part), IN_ALL // PARTS
    forms = {url: form for url, form in crawl.forms(browser, world).items() if url not in crawl.LEAVING}
    urls = [url for _, url in crawl.visited(world) if url not in crawl.LEAVING]

    form_posts(fuzz, browser, forms, count * 6 // 10)
    queries(fuzz, browser, urls, count // 4)
    things = Things(
        {
            "member" if name == "membership" else name: SimpleNamespace(
                pk=pk, name=pk, updated_at=timezone.now()
            )
            for (_, name), pk in world.arguments.items()
        }
    )
    calls(fuzz, call_as(owner), things, count - count * 6 // 10 - count // 4)

    assert len(fuzz.cost) == count
    assert fuzz.wrong == [], f"{len(fuzz.wrong)} of {count}"
    assert sorted(fuzz.cost)[int(count * 0.99)] < 1
