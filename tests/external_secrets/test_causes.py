"""What the operator says, in our words."""

import pytest

from accesses.models import StoreVariant
from external_secrets import causes
from tests import factories

pytestmark = pytest.mark.django_db

CANARY = "hunter2hunter2hunter2hunter2"


@pytest.fixture
def link(service, access):
    return factories.make_link(
        service=service, access=access, key="prod/db", json_field="password", version="AWSPREVIOUS"
    )


@pytest.mark.parametrize(
    ("message", "reason", "remedy"),
    [
        (
            'using cluster store "aws-1" is not allowed from namespace "shop": denied by spec.condition',
            "The store of aws is not open to the namespace shop.",
            "Add the namespace to aws",
        ),
        ('ClusterSecretStore "aws-1" is not ready', "The store of aws is not ready.", "The page of aws"),
        ('could not get ClusterSecretStore "aws-1", not found', "The store of aws is not in the cluster.", "Deploy again"),
        (
            "error processing spec.data[0] (key: prod/db), err: operation error Secrets Manager: GetSecretValue, "
            "https response error StatusCode: 400, RequestID: 0c5e, api error AccessDeniedException: User: "
            "arn:aws:iam::1:user/x is not authorized to perform: secretsmanager:GetSecretValue on resource: prod/db",
            "aws is not allowed to read prod/db.",
            "Grant secretsmanager:GetSecretValue on this secret",
        ),
        (
            "api error ResourceNotFoundException: Secrets Manager can't find the specified secret.",
            "There is no secret named prod/db in aws.",
            "unlink it",
        ),
        ("error processing spec.data[0] (key: prod/db), err: Secret does not exist", "There is no secret named prod/db in aws.", "Create it"),
        ("secret retained due to DeletionPolicy=Retain", "There is no secret named prod/db in aws.", "Create it"),
        (
            "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: X",
            "prod/db has no version AWSPREVIOUS.",
            "without a version",
        ),
        ("key password does not exist in secret prod/db", "The value of prod/db has no field password.", "Link it again"),
        (f"invalid character 'h' looking for {CANARY}", "The value of prod/db is not JSON", "without a JSON field"),
        ("api error UnrecognizedClientException: The security token", "The credentials of aws are refused.", "Replace"),
        ("api error ThrottlingException: Rate exceeded", "The secret manager answers more slowly", "by itself"),
        ("dial tcp: lookup x: no such host", "The cluster does not reach", "Check the endpoint"),
        ("target is owned by another ExternalSecret", "belongs to something else in shop", "Remove that Secret"),
    ],
)  # fmt: skip
def test_known_messages_have_a_cause_and_a_remedy(link, message, reason, remedy):
    cause = causes.translate(f"could not get secret data from provider {message}", link)

    assert cause.reason.startswith(reason) or reason in cause.reason
    assert remedy in cause.remedy
    assert CANARY not in f"{cause.reason} {cause.remedy}"


def test_unknown_messages_are_quoted_without_what_may_be_a_value(link):
    cause = causes.translate(f"something new about prod/db: {CANARY} " + "and so on " * 100, link)

    assert "something new about prod/db" in cause.reason
    assert CANARY not in cause.reason
    assert len(cause.reason) < 300


def slug_of(message, link):
    return causes.translate(f"could not get secret data from provider {message}", link).slug


@pytest.mark.parametrize(
    ("takes", "fields", "named"),
    [
        ("value", {}, "no secret named prod/ in aws"),
        ("path", {}, "no secret below prod/ in aws"),
        ("tags", {"key": "", "tags": {"app": "shop", "env": "prod"}}, "no secret with the tags app=shop, env=prod in aws"),
    ],
)  # fmt: skip
def test_what_is_missing_is_called_what_was_asked_for(service, access, takes, fields, named):
    link = factories.make_link(service=service, access=access, takes=takes, **({"key": "prod/"} | fields))

    cause = causes.translate("Secret does not exist", link)

    assert named in cause.reason


@pytest.mark.parametrize(
    "key", ["prod/throttling-limits", "kms:Decrypt/key", "app/marked for deletion", "a/no such host"]
)
def test_a_name_that_reads_like_an_error_is_none(service, access, key):
    link = factories.make_link(service=service, access=access, key=key)

    assert (
        slug_of(f"error processing spec.data[0] (key: {key}), err: Secret does not exist", link)
        == "secret-missing"
    )


def test_a_link_of_another_store_is_told_of_that_ones_service_account(service, access):
    variant = StoreVariant.objects.create(access=access, region="eu-west-1")
    link = factories.make_link(service=service, access=access, variant=variant)

    cause = causes.translate("AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity", link)

    assert variant.service_account in cause.remedy
    assert access.service_account not in cause.remedy


class TestLastWords:
    EVENTS = (
        {"at": "2026-01-01T10:00:00+00:00", "type": "Warning", "reason": "UpdateFailed", "message": "the old one", "count": 1},
        {"at": "2026-01-01T11:00:00+00:00", "type": "Warning", "reason": "UpdateFailed", "message": "the last one", "count": 2},
        {"at": "2026-01-01T12:00:00+00:00", "type": "Normal", "reason": "Created", "message": "made", "count": 1},
    )  # fmt: skip

    def test_they_stand_beside_ours_while_it_fails(self, link):
        link.status, link.status_reason, link.events = "failed", "It is refused.", list(self.EVENTS)

        assert causes.last_words(link) == "The operator says: the last one"

    def test_they_are_not_said_twice(self, link):
        link.status, link.status_reason, link.events = (
            "failed",
            causes.translate("odd", link).reason,
            list(self.EVENTS),
        )

        assert causes.last_words(link) == ""

    @pytest.mark.parametrize("status", ["in sync", "waiting", "never deployed"])
    def test_what_was_once_is_over_when_it_is_well(self, link, status):
        link.status, link.events = status, list(self.EVENTS)

        assert causes.last_words(link) == ""

    def test_without_events_there_are_none(self, link):
        link.status, link.status_reason = "failed", "It is refused."

        assert causes.last_words(link) == ""

    def test_what_may_be_a_value_is_not_in_them(self, link):
        link.status, link.events = "failed", [{"type": "Warning", "message": f"got {CANARY}", "at": "x"}]

        assert CANARY not in causes.last_words(link)
