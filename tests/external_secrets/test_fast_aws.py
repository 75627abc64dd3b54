"""The fast stand-in of AWS refuses what AWS refuses, and pages as AWS does: asked through boto3 itself."""

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.fast_aws import KEY_ID, SECRET_KEY, FastAws, name_of

BY_NAME = {"SortBy": "name", "SortOrder": "asc"}


@pytest.fixture
def aws():
    with FastAws(250) as running:
        yield running


def client(aws: FastAws, service: str = "secretsmanager", secret: str = SECRET_KEY, key: str = KEY_ID) -> Any:
    return boto3.client(
        service,
        endpoint_url=aws.url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="eu-west-3",
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )


def all_names(manager: Any, **asked: Any) -> list[str]:
    pages = manager.get_paginator("list_secrets").paginate(**asked)
    return [one["Name"] for page in pages for one in page["SecretList"]]


def code(act: Any) -> str:
    with pytest.raises(ClientError) as refused:
        act()
    return str(refused.value.response["Error"]["Code"])


def test_every_name_comes_once_in_each_order(aws):
    manager = client(aws)

    by_name = all_names(manager, **BY_NAME)
    newest = all_names(manager, SortBy="last-changed-date", SortOrder="desc")

    assert by_name == sorted(name_of(number) for number in range(250))
    assert newest == [name_of(number) for number in reversed(range(250))]
    assert aws.asked == 6


def test_a_prefix_is_the_beginning_of_the_name(aws):
    found = all_names(client(aws), Filters=[{"Key": "name", "Values": ["prod/team-12"]}], **BY_NAME)

    assert found == sorted(name_of(number) for number in range(120, 130))


def test_what_is_marked_for_deletion_is_listed_only_when_asked_for(aws):
    aws.names.put(name_of(3), DeletedDate=1_770_000_000)

    hidden = all_names(client(aws))
    shown = all_names(client(aws), IncludePlannedDeletion=True)

    assert (len(hidden), len(shown)) == (249, 250)


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"MaxResults": 101}, "ValidationException"),
        ({"MaxResults": 0}, "ValidationException"),
        ({"MaxResults": "many"}, "SerializationException"),
        ({"SortBy": "size"}, "ValidationException"),
        ({"Filters": [{"Key": "name", "Values": ["prod#"]}]}, "ValidationException"),
        ({"Filters": [{"Key": "colour", "Values": ["red"]}]}, "ValidationException"),
        ({"NextToken": "made-up"}, "InvalidNextTokenException"),
    ],
)
def test_what_aws_refuses_is_refused(aws, asked, refusal):
    manager = client(aws)

    assert code(lambda: manager.list_secrets(**asked)) == refusal


def test_a_token_belongs_to_its_question(aws):
    manager = client(aws)
    token = manager.list_secrets(MaxResults=10, **BY_NAME)["NextToken"]

    assert code(lambda: manager.list_secrets(NextToken=token)) == "InvalidNextTokenException"


def test_who_does_not_sign_or_signs_wrongly_is_refused(aws):
    assert code(client(aws, secret="x").list_secrets) == "InvalidSignatureException"
    assert code(client(aws, key="AKIAOTHER").list_secrets) == "UnrecognizedClientException"


def test_a_value_is_never_given(aws):
    manager = client(aws)

    assert code(lambda: manager.get_secret_value(SecretId=name_of(1))) == "AccessDeniedException"


def test_it_throttles_as_told(aws):
    aws.throttled_from = 3
    manager = client(aws)

    manager.list_secrets()
    manager.list_secrets()

    assert code(manager.list_secrets) == "ThrottlingException"


def test_parameters_are_described_fifty_at_a_time(aws):
    manager = client(aws, "ssm")

    pages = list(manager.get_paginator("describe_parameters").paginate())

    assert [len(page["Parameters"]) for page in pages] == [50] * 5
    assert code(lambda: manager.describe_parameters(MaxResults=51)) == "ValidationException"
