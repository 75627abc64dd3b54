"""What the operator says, in our words."""

import pytest

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
