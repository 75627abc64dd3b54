"""What API servers answer, as real ones word it, becomes our few errors; nothing that could be a value is passed on."""

import json

import pytest

from clusters.kubernetes import errors, events

CANARY = "canary-7a1f"


def conflict(message: str, *causes: tuple[str, str]) -> errors.ClusterError:
    listed = [{"reason": "FieldManagerConflict", "message": text, "field": field} for text, field in causes]
    body = {
        "kind": "Status",
        "message": message,
        "reason": "Conflict",
        "code": 409,
        "details": {"causes": listed},
    }
    return errors.from_status(409, json.dumps(body))


ONE = 'Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.x'
TWO = 'Apply failed with 2 conflicts: conflicts with "kubectl-edit" using apps/v1:\n- .spec.x\n- .spec.y'
SUB = 'Apply failed with 1 conflict: conflict with "vpa" with subresource "scale" using apps/v1: .spec.x'


@pytest.mark.parametrize(
    ("message", "causes", "found"),
    [
        (ONE, [('conflict with "kubectl-edit" using apps/v1', ".spec.x")], [("kubectl-edit", ".spec.x")]),
        (
            TWO,
            [('conflict with "kubectl-edit" using apps/v1', f".spec.{name}") for name in "xy"],
            [("kubectl-edit", ".spec.x"), ("kubectl-edit", ".spec.y")],
        ),
        (
            SUB,
            [('conflict with "vpa" with subresource "scale" using apps/v1', ".spec.x")],
            [("vpa", ".spec.x")],
        ),
        (ONE, [], [("kubectl-edit", ".spec.x")]),
        (TWO, [], [("kubectl-edit", ".spec.x"), ("kubectl-edit", ".spec.y")]),
    ],
)
def test_a_conflict_names_managers_and_fields_and_is_not_tried_again(message, causes, found):
    error = conflict(message, *causes)

    assert isinstance(error, errors.Conflict)
    assert error.conflicts == found
    assert not error.retryable


def test_an_object_that_was_written_meanwhile_is_tried_again():
    error = conflict('Operation cannot be fulfilled on deployments "api": the object has been modified')

    assert isinstance(error, errors.Changed)
    assert error.retryable


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
@pytest.mark.parametrize("of_secret", [True, False])
def test_a_webhook_may_quote_what_it_refuses_and_is_not_quoted(status, of_secret):
    message = f'admission webhook "v.example" denied the request: data.password={CANARY} is weak'

    error = errors.from_status(status, json.dumps({"message": message}), of_secret=of_secret)

    assert CANARY not in error.reason + error.remedy


def test_a_message_fits_into_a_column():
    assert errors.redact("a\x00b\ud800c") == "ab?c"


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"involvedObject": {"name": "a"}},
        {"involvedObject": "a", "lastTimestamp": "2026-01-01T00:00:00Z"},
        {"involvedObject": {"name": "a"}, "lastTimestamp": "yesterday"},
        {"involvedObject": {"name": "a"}, "lastTimestamp": "0001-01-01T00:00:00+14:00"},
        {"involvedObject": {"name": "a"}, "lastTimestamp": "2026-01-01T00:00:00Z", "count": "many"},
    ],
)
def test_an_odd_event_is_none(item):
    assert events.read(item) is None
