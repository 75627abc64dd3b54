"""When a name is going to vanish, as far as its manager tells."""

import datetime
import json

import pytest

from accesses import trials
from accesses.providers import Entry, Page, Probe
from accesses.providers.aws import parameter_store as aws_parameter_store

WHEN = datetime.datetime(2027, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def parameter(*policies):
    found = {"Name": "/prod/db", "Type": "String", "Policies": list(policies)}
    return aws_parameter_store._entry(found)


def policy(kind, text):
    return {"PolicyType": kind, "PolicyText": text, "PolicyStatus": "Pending"}


def test_a_parameter_with_an_expiration_says_when_it_goes():
    text = json.dumps(
        {"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": "2027-01-02T03:04:05.000Z"}}
    )

    assert parameter(policy("Expiration", text)).deletes_at == WHEN


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"Attributes": {"Timestamp": "soon"}}', '{"Attributes": null}']
)
def test_a_policy_that_cannot_be_read_says_nothing(text):
    assert parameter(policy("Expiration", text)).deletes_at is None


def test_other_policies_and_none_say_nothing():
    assert parameter(policy("NoChangeNotification", "{}")).deletes_at is None
    assert parameter().deletes_at is None


def test_what_is_scheduled_for_deletion_is_not_tried():
    class Manager:
        def probe(self, entries):
            return [Probe(one.name, True) for one in entries]

    page = Page([Entry("a", "a", deletes_at=WHEN), Entry("b", "b")])

    assert [fact.label for fact in trials._probes(Manager(), page)] == ["b"]
