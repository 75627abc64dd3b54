"""Checklist item 15: what is sensitive asks for a proof of who it is that is at most fifteen minutes old."""

import time

import pytest
from django.test import Client

from tests.security import crawl
from tests.world import PAGES, VIEWS

pytestmark = pytest.mark.django_db

SENSITIVE = {
    "accounts:transfer", "accounts:delete_organization", "accounts:member_roles", "accounts:member_remove", "accounts:invite",
    "accounts:role_new", "accounts:role", "accounts:role_delete", "accounts:change_sign_in_rules", "accounts:new_token",
    "accounts:rotate_token", "accounts:notification_new", "accounts:notification_secret", "credentials:new",
    "credentials:edit", "credentials:delete", "clusters:connect_kubeconfig", "clusters:settings", "clusters:sign_in", "clusters:danger", "accesses:edit",
    "accesses:delete", "accesses:uninstall_operator", "built_in:settings",
}  # fmt: skip
DANGEROUS = [name for name in PAGES if getattr(VIEWS[name].callback, "dangerous", False)]


def test_what_is_sensitive_is_marked_so():
    assert SENSITIVE - {*DANGEROUS} == set()


@pytest.mark.parametrize("minutes", [16, None], ids=["an old proof", "none"])
def test_without_a_fresh_proof_it_is_asked_for_and_nothing_changes(minutes, world, owner):
    client = Client()
    client.force_login(owner)
    session = client.session
    session["proved_at"] = time.time() - minutes * 60 if minutes else 0
    session.save()
    client.get("/o/acme/")  # notes when the member was last here
    before, led = crawl.rows(), {}

    for name in DANGEROUS:
        for method in VIEWS[name].callback.methods:
            answer = client.generic(method, world.url(name))
            led[name, method] = (answer.status_code, answer.headers.get("Location", "")[:25])

    assert {key: to for key, to in led.items() if to != (302, "/accounts/reauthenticate/")} == {}
    after = crawl.rows()
    assert {table for table in before if before[table] != after[table]} <= {"django_session"}
