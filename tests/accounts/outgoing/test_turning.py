"""Told once when it turns, and never for a flicker."""

import datetime
import uuid

import pytest
from django.utils import timezone

from accounts.models import Noted
from accounts.outgoing import turning

pytestmark = pytest.mark.django_db
ONE, TWO = uuid.uuid4(), uuid.uuid4()


@pytest.fixture
def look(organization):
    """Return a function that looks once, a while after the last time, and returns what turned."""

    def act(bad=(), good=(), after=300):
        earlier = datetime.timedelta(seconds=after)
        for row in Noted.objects.all():
            row.since -= earlier
            row.well_since = row.well_since - earlier if row.well_since else None
            row.save()
        turned = turning.observe(organization=organization, kind="access", bad=bad, good=good)
        return turned.failing, turned.recovered

    return act


def test_failing_is_told_at_the_second_look_and_once(look):
    told = [look(bad=[ONE]) for _ in range(4)]

    assert told == [(set(), set()), ({ONE}, set()), (set(), set()), (set(), set())]


def test_recovered_is_told_once_and_only_after_failing_was(look):
    for _ in range(2):
        look(bad=[ONE])

    told = [look(good=[ONE, TWO]) for _ in range(3)]

    assert told == [(set(), set()), (set(), {ONE}), (set(), set())]


def test_a_flicker_is_not_told(look):
    told = [look(bad=[ONE]), look(good=[ONE]), look(bad=[ONE]), look(good=[ONE])]

    assert told == [(set(), set())] * 4
    assert not Noted.objects.exists()


def test_a_failure_that_flickers_well_goes_on(look):
    look(bad=[ONE])
    first = look(bad=[ONE])

    told = [look(good=[ONE]), look(bad=[ONE]), look(bad=[ONE])]

    assert first == ({ONE}, set())
    assert told == [(set(), set())] * 3


def test_two_looks_at_once_are_one(look):
    look(bad=[ONE])

    assert look(bad=[ONE], after=5) == (set(), set())


def test_what_is_unknown_stays_as_it_was(look):
    look(bad=[ONE, TWO])
    look(bad=[TWO])

    assert look(bad=[ONE, TWO]) == ({ONE}, set())


def end(organization, days, subject=ONE):
    at = timezone.now() + datetime.timedelta(days=days, minutes=-1)
    return turning.ending(organization=organization, subject=subject, kind="x", at=at)


@pytest.mark.parametrize(
    ("days", "told"), [(31, None), (30, 30), (20, 20), (14, 14), (3, 3), (1, 1), (0, 0), (-9, 0)]
)
def test_an_end_is_told_with_the_days_that_are_left(organization, days, told):
    assert end(organization, days) == told


def test_an_end_is_told_once_for_each_mark(organization):
    at = timezone.now() + datetime.timedelta(days=3)

    told = [turning.ending(organization=organization, subject=ONE, kind="x", at=at) for _ in range(2)]

    assert told == [3, None]


def test_a_new_end_is_told_anew(organization):
    end(organization, 3)

    assert end(organization, 6) == 6


def test_what_was_not_seen_for_long_is_forgotten_but_an_end_is_not(organization):
    end(organization, 3)
    turning.observe(organization=organization, kind="access", bad=[TWO], good=[])
    Noted.objects.update(seen_at=timezone.now() - datetime.timedelta(days=31))

    assert turning.sweep() == 1
    assert Noted.objects.get().subject == ONE
