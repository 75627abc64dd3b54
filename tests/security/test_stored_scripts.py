"""Checklist item 20: what others named runs nowhere, whatever it is called, in whatever column it stands."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import Error, models, transaction

from accounts.audit import services as audit
from tests import factories
from tests.security import crawl
from tests.security.payloads import PAYLOADS

pytestmark = pytest.mark.django_db

APPS = ("accounts", "credentials", "clusters", "accesses", "external_secrets")
# What stands in addresses, what decides which page there is, and what only we write.
DECIDING = {
    "slug", "provider", "method", "cloud", "kind", "roles", "permissions", "status", "state", "password", "digest", "hash",
    "previous_hash", "server", "issuer", "timezone", "outcome", "query", "takes", "place_of", "key_id", "mode", "type",
}  # fmt: skip
NAMES = {("Cluster", "name"), ("Access", "name"), ("CloudCredential", "name"), ("Service", "namespace"), ("Service", "kind"),
         ("ExternalSecret", "namespace"), ("Access", "namespaces"), ("ExternalSecret", "service")}  # fmt: skip
LOG = ("AuditEvent", "AuditHead", "AuditMark", "AuditDigest", "AuditKey")


def columns(model: Any) -> list[Any]:
    return [
        field
        for field in model._meta.concrete_fields
        if type(field)
        in (models.CharField, models.TextField, models.JSONField, models.EmailField, ArrayField)
        and not field.choices
        and not field.unique
        and field.name not in DECIDING
        and (model.__name__, field.name) not in NAMES
    ]


def as_kept(field: Any, old: Any, text: str) -> Any:
    """Return a text in the shape of what stands in a column."""
    if isinstance(field, ArrayField):
        return [text]
    if isinstance(field, models.JSONField):
        return spoiled(old, text)
    return text[: field.max_length] if field.max_length else text


def spoiled(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {key: spoiled(one, text) for key, one in value.items()}
    if isinstance(value, list):
        return [spoiled(one, text) for one in value]
    return text if isinstance(value, str) else value


def plant(turn: int) -> list[tuple[str, str]]:
    """Write a payload into each column of each row that takes one, another one each turn; return which."""
    planted, number = [], turn * 7
    for model in apps.get_models():
        if model._meta.app_label not in APPS or model.__name__ in LOG:
            continue
        for field in columns(model):
            for row in model._base_manager.all():
                number += 1
                text = PAYLOADS[number % len(PAYLOADS)]
                try:
                    with transaction.atomic():
                        setattr(row, field.name, as_kept(field, getattr(row, field.name), text))
                        row.save(update_fields=[field.name])
                except (Error, ValueError):  # a constraint, or what keeps itself from being written
                    continue
                planted.append((model.__name__, field.name))
    return planted


@pytest.fixture
def full(world: Any, owner: Any, organization: Any) -> Any:
    """The world with what the pages show besides: names in a manager, events, steps of a deploy, views, roles."""
    from accesses.models import Access
    from clusters.models import Deploy, DeployStep

    access = Access.objects.get()
    for text in PAYLOADS[:30]:
        factories.make_entry(access, text, tags={text[:100]: text[:200]})
    step = DeployStep(
        deploy=Deploy.objects.get(),
        position=1,
        slug="connect",
        label="x",
        status="failed",
        summary=PAYLOADS[0],
    )
    step.save()
    for text in PAYLOADS:
        audit.record(
            organization=organization,
            by=owner,
            action="cluster.connected",
            target=owner,
            details={"changes": {text[:20]: [text, text]}, "x": text},
        )
    return world


@pytest.mark.parametrize("turn", range(6))
def test_nothing_that_others_named_runs(turn, full, browser):
    planted = plant(turn)
    running, seen, broken = {}, 0, []

    for name, url in crawl.visited(full):
        if url in crawl.LEAVING:
            continue
        for htmx in ({}, {"HX-Request": "true"}):
            response = browser.get(url, headers=htmx)
            if response.status_code >= 500:
                broken.append(f"{name}: {response.exc_info[1]!r}"[:200])
            page = crawl.read(url, response)
            seen += b"xss7" in (b"" if response.streaming else response.content)
            if page.running:
                running[name] = page.running[:2]

    assert running == {}
    assert (len(set(planted)) > 40, seen > 30) == (True, True), (len(set(planted)), seen)
    assert broken == []


def test_what_is_typed_does_not_run_either(world, browser):
    """The same through forms, which show again what was typed."""
    forms = {url: form for url, form in crawl.forms(browser, world).items() if url not in crawl.LEAVING}
    running, seen = {}, 0

    for number, (url, form) in enumerate(sorted(forms.items())):
        for turn in range(3):
            names = {*form.fields, *form.choices}
            sent = {
                name: PAYLOADS[(number * 5 + turn * 11 + i) % len(PAYLOADS)]
                for i, name in enumerate(sorted(names))
            }
            with transaction.atomic():
                response = browser.post(url, sent)
                transaction.set_rollback(True)
            page = crawl.read(url, response)
            seen += b"xss7" in response.content
            if page.running:
                running[url] = page.running[:2]

    assert running == {}
    assert seen > 20


@pytest.mark.parametrize("text", PAYLOADS)
def test_the_search_would_see_it(text):
    """Written as it is, each but those that need a place of their own is seen."""
    bare, quoted = crawl.Page("/"), crawl.Page("/")
    bare.feed(f"<title>x</title><p>{text}</p>")
    quoted.feed(f"<a href=\"{text}\" title='{text}'>x</a><textarea></textarea>")

    needs = (
        text.startswith(("{", "$", "<scr<", "&lt;", "+ADw", "</", "-->"))
        or "evil" in text
        or "noscript" in text
    )
    assert bare.running or quoted.running or needs
