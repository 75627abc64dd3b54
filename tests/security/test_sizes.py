"""Checklist item 24: what is too large is refused before it costs anything."""

import json
import time
import tracemalloc

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db

MEGA = 1024 * 1024
BOUNDARY = "b0und"


def part(name, text, file=""):
    disposition = f'form-data; name="{name}"' + (f'; filename="{file}"' if file else "")
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n{text}\r\n"


FORM, MULTIPART = "application/x-www-form-urlencoded", f"multipart/form-data; boundary={BOUNDARY}"
BODIES = {
    "a name of 1 MiB": (FORM, "name=" + "x" * MEGA),
    "a body of 20 MiB": (FORM, "name=" + "x" * 20 * MEGA),
    "100,000 fields": (FORM, "&".join(f"a{number}=" for number in range(100_000))),
    "a name of 1 MiB in parts": (MULTIPART, part("name", "x" * (MEGA + 1)) + f"--{BOUNDARY}--\r\n"),
    "10,000 parts": (MULTIPART, "".join(part(f"a{n}", "") for n in range(10_000)) + f"--{BOUNDARY}--\r\n"),
    "10,000 files": (
        MULTIPART,
        "".join(part(f"a{n}", "", "f") for n in range(10_000)) + f"--{BOUNDARY}--\r\n",
    ),
    "a file of 20 MiB": (MULTIPART, part("file", "x" * 20 * MEGA, "key.json") + f"--{BOUNDARY}--\r\n"),
}


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize(
    "url",
    ["/accounts/login/", "/account/", "/o/acme/clusters/connect/kubeconfig/", "/o/acme/settings/rename/"],
)
def test_too_much_is_refused_soon(browser, what, url):
    kind, text = BODIES[what]
    body = text.encode()
    browser.get("/accounts/login/")
    tracemalloc.start()
    started = time.thread_time()

    answer = browser.post(url, body, kind)

    spent, (_, peak) = time.thread_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code in (400, 413)
    # The test client itself makes a copy of what it sends.
    assert peak - len(body) < 20 * MEGA
    assert spent < 0.5


@pytest.mark.parametrize("size", [MEGA + 1, 20 * MEGA])
def test_so_it_is_by_the_api(owner, call_as, size):
    body = json.dumps({"name": "x" * size})

    answer = call_as(owner)("PATCH", "", body)

    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_nobody_needs_to_be_signed_in_to_be_refused():
    """A body that is not read can't fill the disk, whoever sends it."""

    class Unread:
        def read(self, size=-1):
            raise AssertionError("the body is read")

        readline = read

    sent = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(10**12), "CONTENT_TYPE": MULTIPART}
    answer = Client().generic("POST", "/accounts/login/", **sent)

    assert answer.status_code == 413


def test_a_long_name_that_is_small_enough_is_an_error_of_its_field(browser):
    answer = browser.post("/account/", {"name": "x" * (MEGA - 100)}, secure=False)

    assert answer.status_code in (400, 422)
