"""Filters and pages of the audit log: the same events as a plain look would find, in the same order, at any depth."""

import datetime
import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import origin, queries, services
from accounts.audit.queries import Filters
from accounts.models import AuditEvent
from tests import factories

pytestmark = pytest.mark.django_db

ACTIONS = (
    "deploy.requested",
    "deploy.failed",
    "deploy.succeeded",
    "credential.created",
    "permission.refused",
)
PEOPLE = ("Marie Rey", "Jo Lindqvist")


@pytest.fixture
def log(organization):
    """Four hundred events of two people in two clusters, from everywhere."""
    chance = random.Random(7)
    people = [factories.make_user(name=name) for name in PEOPLE]
    clusters = [factories.make_cluster(organization=organization, name=name) for name in ("prod", "staging")]
    for number in range(400):
        with origin.of_request(
            address=f"192.0.2.{chance.randrange(3)}", user_agent="", request_id=str(number)
        ):
            if number % 5 == 0:
                origin.entered(
                    organization_id=organization.pk, user_id=people[0].pk, roles="", token="ci (kh_1)"
                )
            services.record(
                organization=organization,
                by=chance.choice([*people, None]),
                action=chance.choice(ACTIONS),
                target=chance.choice([*clusters, organization]),
            )
    return organization


def walk(found, **size):
    """Return the numbers of all pages from the newest to the last, and back again."""
    down, page = [], queries.page(found, **size)
    pages = [page]
    while page.older:
        page = queries.page(found, before=page.older, **size)
        pages.append(page)
    down = [event.sequence for one in pages for event in one.rows]
    up, page = [], queries.page(found, last=True, **size)
    while True:
        up = [event.sequence for event in page.rows] + up
        if page.newer is None:
            return down, up
        page = queries.page(found, after=page.newer, **size)
        if page.newer is None or not page.rows:
            return down, up


def plain(organization, keep):
    return [event.sequence for event in AuditEvent.objects.owned_by(organization) if keep(event)]


FILTERS = {
    "nothing": (Filters(), lambda e: True),
    "one action": (Filters(actions=("deploy.failed",)), lambda e: e.action == "deploy.failed"),
    "two actions": (
        Filters(actions=("deploy.failed", "credential.created")),
        lambda e: e.action in ("deploy.failed", "credential.created"),
    ),
    "a group": (Filters(actions=("deploy.*",)), lambda e: e.action.startswith("deploy.")),
    "failed": (Filters(outcome="failed"), lambda e: e.action == "deploy.failed"),
    "refused": (Filters(outcome="refused"), lambda e: e.action == "permission.refused"),
    "done": (
        Filters(outcome="done"),
        lambda e: e.action in ("deploy.requested", "deploy.succeeded", "credential.created"),
    ),
    "a group, failed": (
        Filters(actions=("deploy.*",), outcome="failed"),
        lambda e: e.action == "deploy.failed",
    ),
    "a cluster": (Filters(cluster="prod"), lambda e: e.cluster == "prod"),
    "the API": (Filters(origin="api"), lambda e: e.origin == "api"),
    "an address": (Filters(address="192.0.2.1"), lambda e: e.address == "192.0.2.1"),
    "a token": (Filters(token="ci (kh_1)"), lambda e: e.token == "ci (kh_1)"),
    "a text": (Filters(text="marie PROD"), lambda e: e.actor_name == "Marie Rey" and e.cluster == "prod"),
    "a text with signs": (Filters(text="100%_\\"), lambda e: False),
    "a text and a group": (
        Filters(text="lindq", actions=("deploy.",)),
        lambda e: e.actor_name == "Jo Lindqvist" and e.action.startswith("deploy."),
    ),
    "nobody": (Filters(actor_id="0"), lambda e: False),
    "no such action": (Filters(actions=("nothing.*",)), lambda e: False),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_finds_what_a_plain_look_finds(log, name):
    filters, keep = FILTERS[name]
    expected = plain(log, keep)

    down, up = walk(queries.events(log, filters), size=30)

    assert down == expected
    assert sorted(set(up), reverse=True) == up
    assert set(up) <= set(expected)
    assert [event.sequence for event in queries.stream(queries.events(log, filters), batch=70)] == expected[
        ::-1
    ]


def test_a_page_says_what_is_newer_and_older(log):
    found = queries.events(log)

    newest = queries.page(found)
    second = queries.page(found, before=newest.older)
    back = queries.page(found, after=second.newer)
    last = queries.page(found, last=True)

    assert [event.sequence for event in newest.rows] == list(range(400, 350, -1))
    assert (newest.newer, newest.older) == (None, 351)
    assert [event.sequence for event in second.rows] == list(range(350, 300, -1))
    assert (second.newer, second.older) == (350, 301)
    assert [event.sequence for event in back.rows] == list(range(400, 350, -1))
    assert [event.sequence for event in last.rows] == list(range(50, 0, -1))
    assert (last.newer, last.older) == (50, None)


def test_times_are_places_in_the_sequence(log):
    tenth, twentieth = (AuditEvent.objects.get(sequence=number).at for number in (10, 20))
    later = AuditEvent.objects.get(sequence=400).at + datetime.timedelta(seconds=1)

    between = queries.events(log, Filters(since=tenth, until=twentieth))

    assert [event.sequence for event in queries.page(between).rows] == list(range(19, 9, -1))
    assert queries.page(queries.events(log, Filters(since=later))).rows == []
    assert queries.page(queries.events(log, Filters(until=tenth, text="deploy"))).older is None


def test_a_text_that_is_rare_is_found_behind_many_events(log, monkeypatch):
    monkeypatch.setattr(queries, "NEAR", 20)
    services.record(organization=log, by=None, action="organization.closed", target=log)
    first = AuditEvent.objects.filter(actor_name="Marie Rey").order_by("sequence").first()

    down, up = walk(queries.events(log, Filters(text="Marie")), size=7)

    assert down[-1] == first.sequence
    assert down == plain(log, lambda e: e.actor_name == "Marie Rey")
    assert set(up) <= set(down)


def test_the_organization_of_others_is_never_looked_at(log, outsider):
    other = outsider.memberships.get().organization
    services.record(organization=other, by=outsider, action="deploy.failed", target=other)

    found = queries.events(other, Filters(actions=("deploy.*",), text="globex"))

    assert [event.organization_id for event in queries.page(found).rows] == [other.pk]
    assert queries.distinct(other, "action") == ["deploy.failed"]


def test_lists_to_choose_from_are_what_is_there(log):
    assert queries.distinct(log, "action") == sorted(ACTIONS)
    assert queries.distinct(log, "cluster") == ["prod", "staging"]
    assert queries.distinct(log, "token") == ["ci (kh_1)"]
    assert sorted(name for _, name in queries.actors(log)) == sorted(PEOPLE)
    with pytest.raises(ValueError, match="No index"):
        queries.distinct(log, "details")


@pytest.mark.parametrize("name", FILTERS)
def test_a_page_takes_few_queries(log, name):
    with CaptureQueriesContext(connection) as caught:
        queries.page(queries.events(log, FILTERS[name][0]), before=200)

    assert len(caught) <= 4
