"""Pages as a browser reads them: their forms with what is filled in, and what in them would run as a script."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.accounts.test_profile import PAGES as ACCOUNT
from tests.accounts.test_profile import url as account_url
from tests.world import PAGES, VIEWS, World

# What a planted text does if it is not escaped.
MARK = "xss7"
# Outside of every organization and of “Your account”.
OUTSIDE = (
    "/", "/accounts/login/", "/accounts/signup/", "/accounts/inactive/", "/accounts/passkey/", "/accounts/second-factor/",
    "/accounts/reauthenticate/", "/accounts/second-factor/show/", "/accounts/password/reset/",
    "/accounts/password/reset/done/", "/accounts/password/reset/key/1-abc/", "/accounts/password/reset/key/done/", "/accounts/first/", "/accounts/first/abc/",
    "/invitation/", "/invitation/accept/", "/invitation/register/", "/invitation/claim/", "/invitation/decline/",
    "/join/abc/", "/organizations/new/", "/sso/", "/sso/acme/", "/sso/acme/callback/", "/sso/acme/needed/",
    "/sso/acme/again/", "/signed-in-elsewhere/", "/theme/", "/.well-known/openid-configuration", "/.well-known/jwks.json", "/api/v1/openapi.json",
    "/gateway/00000000-0000-4000-8000-000000000000/secret", "/nowhere/",
)  # fmt: skip
LEAVING = {"/accounts/logout/", "/sso/acme/", "/sso/acme/callback/"}


@dataclass
class Form:
    action: str
    fields: dict[str, Any] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)


class Page(HTMLParser):
    """Collects a page's forms that are posted, and what would run."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url, self.forms, self.running = url, list[Form](), list[str]()
        self._form: Form | None = None
        self._select = self._text = ""
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._script = tag == "script"
        self.running += [f"<{tag}"] if MARK in tag else []
        self.running += [
            f"<{tag} {name}={value}" for name, value in given.items() if dangerous(tag, name, value)
        ]
        if tag == "form" and given.get("method", "").lower() == "post":
            self._form = Form(urljoin(self.url, given.get("action", "") or self.url))
            self.forms.append(self._form)
        elif self._form and given.get("name") and given["name"] != "csrfmiddlewaretoken":
            self._control(tag, given)
        if tag == "option" and self._form and self._select:
            self._form.choices.setdefault(self._select, []).append(given.get("value", ""))
            if "selected" in given or self._select not in self._form.fields:
                self._form.fields[self._select] = given.get("value", "")

    def _control(self, tag: str, given: dict[str, str]) -> None:
        assert self._form is not None
        name, value, kind = given["name"], given.get("value", ""), given.get("type", "")
        if tag == "select":
            self._select = name
        elif tag == "textarea":
            self._text = name
            self._form.fields[name] = ""
        elif tag in ("input", "button"):
            box = kind in ("checkbox", "radio")
            self._form.choices.setdefault(name, []).append(value or "on")
            if not box or "checked" in given:
                self._form.fields[name] = value or ("on" if box else "")

    def handle_data(self, data: str) -> None:
        if self._script and MARK in data:
            self.running.append(data)
        if self._form and self._text:
            self._form.fields[self._text] += data

    def handle_endtag(self, tag: str) -> None:
        self._script = False
        self._text = "" if tag == "textarea" else self._text
        self._select = "" if tag == "select" else self._select
        self._form = None if tag == "form" else self._form


def dangerous(tag: str, name: str, value: str) -> bool:
    """Tell whether an attribute runs something, or leads to something that does."""
    leads = name in (
        "href",
        "src",
        "action",
        "formaction",
        "data",
        "xlink:href",
        "srcdoc",
        "hx-get",
        "hx-post",
    )
    scheme = re.sub(r"[\t\r\n]", "", value).strip().lower().partition(":")[0] if leads else ""
    return (
        name.startswith(("on", "hx-on"))
        or MARK in name
        or name in ("style", "srcdoc")
        or scheme in ("javascript", "data", "vbscript")
        or (name in ("src", "href") and "//evil" in value[:20])
    )


def read(url: str, response: Any) -> Page:
    page = Page(url)
    if response.headers.get("Content-Type", "").startswith("text/html") and not response.streaming:
        page.feed(response.content.decode())
        page.close()
    return page


def visited(world: World) -> Iterator[tuple[str, str]]:
    """Yield the name and address of every page that is looked at, of an organization, a person and nobody."""
    for name in PAGES:
        if "GET" in VIEWS[name].callback.methods:  # type: ignore[attr-defined]
            yield name, world.url(name)
    for step in ("provider", "method", "authentication", "details", "test", "result"):
        yield "accesses:wizard", world.url("accesses:wizard").replace("/provider/", f"/{step}/")
    for name, pattern in ACCOUNT.items():
        if "GET" in pattern.callback.methods:
            yield name, account_url(name)
    for url in OUTSIDE:
        yield url, url


def written(world: World) -> Iterator[tuple[str, str]]:
    """Yield the name and address of every page that a form is sent to."""
    for name in PAGES:
        if "POST" in VIEWS[name].callback.methods:  # type: ignore[attr-defined]
            yield name, world.url(name)
    for name, pattern in ACCOUNT.items():
        if "POST" in pattern.callback.methods:
            yield name, account_url(name)
    for url in OUTSIDE:
        if not url.startswith("/api/"):
            yield url, url


def forms(client: Client, world: World) -> dict[str, Form]:
    """Return by address each form of each page, as it stands there; of several with one address all fields."""
    found: dict[str, Form] = {}
    for _, url in visited(world):
        for form in read(url, client.get(url)).forms:
            known = found.setdefault(form.action, form)
            known.fields = form.fields | known.fields
            known.choices = form.choices | known.choices
    for _, url in written(world):
        found.setdefault(url, Form(url))
    return {url: form for url, form in found.items() if not url.startswith("http")}


def patterns(resolver: Any = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Yield every address of the console with its pattern."""
    for one in (resolver or get_resolver()).url_patterns:
        if isinstance(one, URLResolver):
            yield from patterns(one, prefix + str(one.pattern))
        else:
            yield prefix + str(one.pattern), one


def rows(table: str = "") -> dict[str, list[str]]:
    """Return each row of each table as text, by table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        names = [row[0] for row in cursor.fetchall() if table in ("", row[0])]
        found = {}
        for name in names:
            cursor.execute(f'SELECT t::text FROM "{name}" t ORDER BY 1')
            found[name] = [row[0] for row in cursor.fetchall()]
    return found
