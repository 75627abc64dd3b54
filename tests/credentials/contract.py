"""What every kind of credential of every cloud keeps to; a test module of a cloud has one class for each kind:

    class TestAccessKey(contract.Contract):
        kind = "aws.static"
        identity = ("arn:aws:iam::123456789012:user/reader",)
        wrong = (
            contract.Wrong("another secret", {"secret_access_key": "z" * 40}, "AWS does not accept these keys."),
        )

        @pytest.fixture
        def good(self, keys):
            return {"partition": "aws", **keys()}

`good` is what a person enters who makes no mistake, without the name; whatever else a test needs, it asks for.
"""

import io
import json
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.urls import reverse

from accounts.models import AuditEvent
from config.errors import SealedReporterFilter
from credentials import clouds, services, signing
from credentials.clouds.errors import ProviderError
from credentials.models import CloudCredential
from tests.test_canary import tables
from tests.tools import broker

NAME = "contract-one"


@dataclass(frozen=True)
class Wrong:
    """One mistake: what is entered instead (a value, or a function of the right one), and the sentence that is said."""

    slug: str
    changed: dict[str, Any]
    said: str

    def entered(self, good: dict[str, Any]) -> dict[str, Any]:
        """Return the form's values with the mistake in them."""
        made = {name: new(good.get(name)) if callable(new) else new for name, new in self.changed.items()}
        return good | made


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Give a contract's class its own mistakes; called by the folder's conftest."""
    if "mistake" in metafunc.fixturenames and metafunc.cls is not None:
        metafunc.parametrize("mistake", [pytest.param(one, id=one.slug) for one in metafunc.cls.wrong])


def _text(response: Any) -> str:
    """Return a page as a person reads it: without markup, and with single spaces."""
    page = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", unescape(page))


@contextmanager
def _listening(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """Collect what is logged at DEBUG, both as records and as the process's own handlers write it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        with caplog.at_level(logging.DEBUG):
            yield lambda: caplog.text + stream.getvalue()
    finally:
        logging.getLogger().removeHandler(handler)


class Contract:
    """The tests; `kind` is the cloud's and the method's slug, `identity` is what the page shows whose it is."""

    kind: str
    identity: tuple[str, ...] = ()
    wrong: tuple[Wrong, ...] = ()
    # Fields that are kept with the secrets and shown as a fact all the same, for example an access key's ID.
    shown: frozenset[str] = frozenset()

    def canaries(self, good: dict[str, Any]) -> list[str]:
        """Return what may be found nowhere; a secret in JSON counts in pieces, without what is public in it."""
        form = self.method.form
        found = [good[name] for name in form.secret_names() if name not in self.shown and good.get(name)]
        return [piece for value in found for piece in self.pieces(str(value))]

    def pieces(self, value: str) -> list[str]:
        """Return what of a secret is searched for: the lines of a key's body, or the whole of it."""
        try:
            keyed = json.loads(value)
        except ValueError:
            return [value]
        lines = str(keyed.get("private_key", "")).split("\n") if isinstance(keyed, dict) else []
        return [line for line in lines if len(line) > 40] or [value]

    @property
    def method(self) -> Any:
        return clouds.known(*self.kind.split("."))[1]

    @pytest.fixture
    def browser(self, sign_in: Any, devops: Any) -> Any:
        return sign_in(devops)

    @property
    def _new(self) -> str:
        return reverse("credentials:new", kwargs={"org": "acme"}) + f"?kind={self.kind}"

    def _page(self, page: str) -> str:
        return reverse(f"credentials:{page}", kwargs={"org": "acme", "credential": NAME})

    def _add(self, browser: Any, values: dict[str, Any]) -> Any:
        for value in values.values():
            if isinstance(value, UploadedFile):
                value.seek(0)
        return browser.post(self._new, {"name": NAME, **values})

    # -- the tests ------------------------------------------------------------------------------------
    def test_the_form_is_there_with_its_words(self, good, browser):
        page = browser.get(self._new)

        assert page.status_code == 200
        assert self.method.label in _text(page)
        for name in self.method.form.base_fields:
            assert f'name="{name}"' in page.content.decode()
        for card in self.method.cards(_helped(browser)):
            assert card.title
            assert card.text

    def test_right_values_are_tried_and_stored_and_the_identity_is_shown(self, good, browser):
        made = self._add(browser, good)

        stored = CloudCredential.objects.get(name=NAME)
        seen = _text(browser.get(self._page("detail")))
        assert made.status_code in (204, 302), _text(made)
        assert (stored.cloud, stored.method) == tuple(self.kind.split("."))
        assert stored.checked_at
        assert not stored.check_error
        assert (stored.secret == {}) is self.method.keyless
        assert [text for text in self.identity if text not in seen] == []
        assert AuditEvent.objects.filter(action="credential.created").count() == 1

    def test_the_connection_is_tested_again_by_a_button(self, good, browser):
        self._add(browser, good)
        before = CloudCredential.objects.get(name=NAME)

        browser.post(self._page("check"))

        after = CloudCredential.objects.get(name=NAME)
        assert after.checked_at > before.checked_at
        assert after.check_error == ""
        assert after.facts == before.facts

    def test_what_signs_in_is_made_of_what_is_stored(self, good, browser):
        self._add(browser, good)
        stored = CloudCredential.objects.get(name=NAME)

        session = signing.session(stored)

        stored.refresh_from_db()
        assert session is not None
        assert stored.used_at is not None
        assert [one for one in self.canaries(good) if one in repr(session)] == []

    def test_each_wrong_value_has_its_sentence(self, good, browser, mistake):
        entered = mistake.entered(good)

        page = self._add(browser, entered)

        assert page.status_code == 422
        assert mistake.said in _text(page)
        assert not CloudCredential.objects.exists()
        assert [one for one in self.canaries(good) if one in page.content.decode()] == []

    def test_the_values_are_found_nowhere(self, good, browser, caplog):
        with _listening(caplog) as heard:
            pages = [self._add(browser, good)]
            browser.post(self._page("check"))
            pages += [browser.get(self._page(name)) for name in ("detail", "edit", "delete")]
            pages += [browser.get(reverse("credentials:index", kwargs={"org": "acme"}))]
            for one in self.wrong:
                pages.append(browser.post(self._page("edit"), {"name": NAME, **one.entered(good)}))

        places = {
            "log": heard(),
            "pages": "".join(page.content.decode() + str(page.headers) for page in pages),
            "broker, cache and sessions": broker(settings.REDIS_URL),
            "session": str(dict(browser.session)),
            "audit": str(list(AuditEvent.objects.values())),
            **tables(),
        }
        canaries = self.canaries(good)
        assert {where for where, text in places.items() for one in canaries if one in text} == set()
        assert self.method.keyless or CloudCredential.objects.get().secret
        assert canaries or self.method.keyless

    def test_what_is_raised_quotes_no_value(self, good, organization, devops):
        """Each mistake that a cloud tells of, with everything that an error's report has in it."""
        told = ""
        for one in self.wrong:
            entered = one.entered(good)
            form = self.method.form(_texts(entered), _files(entered))
            if not form.is_valid():
                continue
            try:
                services.create(
                    organization=organization, name=NAME, cloud=self.kind.split(".")[0], by=devops,
                    method=self.method.slug, secret=form.secret({}), given=form.given(),
                )  # fmt: skip
            except ProviderError as error:
                told += f"{error!r} {error} {error.reason} {error.remedy} {vars(error)}"
                told += "".join(traceback.format_exception(error)) + _report()
            except ValidationError as error:
                told += f"{error!r}"

        assert told or not self.wrong
        assert [one for one in self.canaries(good) if one in told] == []


def _helped(browser: Any) -> Any:
    from credentials.clouds.base import Helped

    return Helped(
        subject="keyhaven-" + "0" * 32, issuer=settings.BASE_URL, base_url=settings.BASE_URL, facts={}
    )


def _texts(entered: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entered.items() if not isinstance(value, UploadedFile)}


def _files(entered: dict[str, Any]) -> dict[str, Any]:
    files = {name: value for name, value in entered.items() if isinstance(value, UploadedFile)}
    for file in files.values():
        file.seek(0)
    return files


def _report() -> str:
    """Return what Django writes of the error at hand, its local variables included; the test's own are left out."""
    from django.views.debug import ExceptionReporter

    kind, error, frames = sys.exc_info()
    while frames is not None and "/tests/" in frames.tb_frame.f_code.co_filename:
        frames = frames.tb_next
    reporter = ExceptionReporter(None, kind, error, frames)
    reporter.filter = SealedReporterFilter()
    return reporter.get_traceback_text() + reporter.get_traceback_html()
