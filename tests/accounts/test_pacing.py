"""Buttons that ask a cloud or a cluster, pressed again and again."""

import pytest
from django.core.cache import cache
from django.test import Client

from accounts import pacing
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/o/acme/clusters/prod/health/"


@pytest.fixture
def cluster(organization):
    cache.clear()
    return factories.make_cluster(organization=organization, name="prod")


def test_who_asks_too_often_waits_and_nobody_else_does(cluster, viewer, admin, sign_in, monkeypatch):
    monkeypatch.setattr(pacing, "OUTSIDE", pacing.Limit("outside", 3, 60))
    browser, other = sign_in(viewer), Client()
    other.force_login(admin)

    answers = [browser.post(URL) for _ in range(5)]

    # The window of the clock may turn in between.
    statuses = [answer.status_code for answer in answers]
    assert statuses[:3] == [302, 302, 302]
    assert 429 in statuses
    slowed = next(answer for answer in answers if answer.status_code == 429)
    assert 0 < int(slowed.headers["Retry-After"]) <= 60
    assert "Too many requests" in slowed.content.decode()
    assert browser.get(URL).status_code == 200
    assert other.post(URL).status_code == 302
