"""Two people edit one access: the second is told, with what differs, and nothing is ever lost."""

import random
import threading
from typing import Any

import pytest
from django.db import connection

from accesses import services
from accesses.models import Access
from accesses.wanted import Values
from tests import factories

pytestmark = pytest.mark.django_db

ROUNDS = 1000


def change(access: Access, seen: int, by: Any, region: str) -> bool:
    """Change the region as the form does; tell whether it was taken."""
    try:
        values = Values(
            method=access.method, configuration={"region": region}, credential=access.credential,
            namespaces=access.namespaces,
        )  # fmt: skip
        return services.change(access=access, values=values, result=None, seen_version=seen, by=by)
    except services.Changed:
        return False


def test_a_thousand_random_interleavings_lose_nothing(organization, admin, devops, monkeypatch):
    monkeypatch.setattr(services, "_announce", lambda access: None)
    monkeypatch.setattr(services.audit, "record", lambda **_: None)
    access = factories.make_access(cluster=factories.make_cluster(organization=organization))
    rng = random.Random(45)
    open_forms: dict[str, int] = {}
    taken, refused, stored = 0, 0, access.configuration["region"]

    for number in range(ROUNDS):
        who = rng.choice(("one", "two", "three"))
        if who not in open_forms or rng.random() < 0.3:
            open_forms[who] = Access.objects.get(pk=access.pk).version
            continue
        seen, region = open_forms.pop(who), f"eu-west-{number}"
        newest = Access.objects.get(pk=access.pk)
        done = change(newest, seen, admin, region)
        live = Access.objects.get(pk=access.pk)
        assert done == (seen == newest.version), "taken exactly when nobody was faster"
        stored = region if done else stored
        assert live.configuration["region"] == stored
        taken, refused = taken + done, refused + (not done)

    assert Access.objects.get(pk=access.pk).version == 1 + taken
    assert refused > 50 < taken


@pytest.mark.django_db(transaction=True)
def test_of_many_at_the_same_moment_one_wins():
    organization = factories.make_organization()
    admin = factories.make_member(organization, "admin")
    access = factories.make_access(cluster=factories.make_cluster(organization=organization))
    won = []

    def act(number: int, seen: int, gate: threading.Barrier) -> None:
        try:
            gate.wait(timeout=10)
            won.append(change(Access.objects.get(pk=access.pk), seen, admin, f"eu-{number}"))
        finally:
            connection.close()

    for _ in range(10):
        won.clear()
        seen, gate = Access.objects.get(pk=access.pk).version, threading.Barrier(4)
        threads = [threading.Thread(target=act, args=(number, seen, gate)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False, False, False, True]
        assert Access.objects.get(pk=access.pk).version == seen + 1


def test_the_second_one_sees_what_differs_and_keeps_what_was_typed(
    organization, admin, devops, sign_in, aws_endpoint, sandbox_cloud
):
    keys = sandbox_cloud.keys["reader"]
    access = factories.make_access(
        cluster=factories.make_cluster(organization=organization, name="prod"), name="aws",
        credential={"access_key_id": keys[0], "secret_access_key": keys[1]},
    )  # fmt: skip
    seen = access.version
    change(access, seen, devops, "eu-central-1")

    page = sign_in(admin).post(
        "/o/acme/clusters/prod/secret-managers/aws/edit/",
        {"region": "eu-north-1", "namespaces": "shop", "seen": seen},
    )

    text = page.content.decode()
    assert page.status_code == 422
    assert 'value="eu-north-1"' in text, "what was typed is kept"
    assert "Stored now" in text
    assert "eu-central-1" in text
    assert f'name="seen" value="{seen + 1}"' in text, "sent once more, it replaces what was seen"
    assert keys[1] not in text
