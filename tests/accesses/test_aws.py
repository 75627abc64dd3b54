"""What is particular to AWS: its error codes, its regions, its keys, and whose keys are used."""

import http.server
import json
import threading

import pytest
from botocore.exceptions import BotoCoreError, ClientError, SSLError
from django.core.exceptions import ValidationError

from accesses import providers, services
from accesses.providers import aws, aws_secrets_manager
from tests import factories

LIST = "secretsmanager:ListSecrets"
GOOD = {"region": "eu-west-3", "access_key_id": "AKIA" + "A" * 16, "secret_access_key": "s" * 40}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("UnrecognizedClientException", providers.CredentialRefused),
        ("InvalidClientTokenId", providers.CredentialRefused),
        ("InvalidSignatureException", providers.CredentialRefused),
        ("SignatureDoesNotMatch", providers.CredentialRefused),
        ("ExpiredToken", providers.CredentialRefused),
        ("ExpiredTokenException", providers.CredentialRefused),
        ("403", providers.CredentialRefused),
        ("AccessDenied", providers.PermissionMissing),
        ("AccessDeniedException", providers.PermissionMissing),
        ("Throttling", providers.Throttled),
        ("ThrottlingException", providers.Throttled),
        ("TooManyRequestsException", providers.Throttled),
        ("ResourceNotFoundException", providers.NotThere),
        ("SomethingNew", providers.ProviderError),
        ("", providers.ProviderError),
    ],
)
def test_codes_are_translated_by_table(code, error):
    answer = {"Error": {"Code": code, "Message": "canary-value"}}
    with pytest.raises(providers.ProviderError) as refusal, aws.translated(LIST, "eu-west-3", "{}"):
        raise ClientError(answer, "ListSecrets")

    assert type(refusal.value) is error
    assert refusal.value.__cause__ is None
    assert "canary-value" not in refusal.value.reason + refusal.value.remedy


def test_a_code_that_is_a_text_is_not_passed_on():
    answer = {"Error": {"Code": "the key canary-value is wrong"}}
    with pytest.raises(providers.ProviderError) as refusal, aws.translated(LIST, "eu-west-3", "{}"):
        raise ClientError(answer, "ListSecrets")

    assert refusal.value.reason == "AWS answered with an error."


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (SSLError(endpoint_url="https://canary-value", error="x"), providers.NotReachable),
        (BotoCoreError(), providers.ProviderError),
    ],
)
def test_what_happens_on_the_way_is_translated(raised, error):
    with pytest.raises(providers.ProviderError) as refusal, aws.translated(LIST, "eu-west-3", "{}"):
        raise raised

    assert type(refusal.value) is error
    assert "canary-value" not in refusal.value.reason


class Gateway(http.server.BaseHTTPRequestHandler):
    """What a company's proxy answers."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Log in to the network</html>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.django_db
def test_what_is_not_aws_at_all_is_an_error_of_ours(monkeypatch):
    server = http.server.HTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    try:
        result = services.try_access(factories.make_access())
    finally:
        server.shutdown()
        server.server_close()

    assert not result.usable
    assert not result.refused
    assert result.reason == "What answers for AWS in eu-west-3 is not AWS."
    assert "Log in" not in repr(result)


@pytest.mark.parametrize(
    "region",
    ["eu-west-3", "us-gov-east-1", "cn-northwest-1", "ap-southeast-4", "il-central-1", "eusc-de-east-1"],
)
def test_regions_of_every_partition_are_accepted(region):
    assert aws.clean_region(f" {region.upper()} ") == region


@pytest.mark.parametrize(
    "region", ["paris", "eu-west", "eu-west-3a", "eu-west-3; rm", "", "eu-west-3\n", "a.evil.example#-east-1"]
)
def test_what_is_no_region_is_refused(region):
    if region == "eu-west-3\n":
        assert aws.clean_region(region) == "eu-west-3"
        return
    with pytest.raises(ValidationError, match="not an AWS region"):
        aws.clean_region(region)


def test_the_suggested_regions_are_all_that_the_sdk_knows():
    import boto3

    session = boto3.session.Session()
    known = {
        region
        for partition in ("aws", "aws-cn", "aws-us-gov")
        for region in session.get_available_regions("secretsmanager", partition_name=partition)
        if "fips" not in region
    }

    assert known <= set(aws.REGIONS)
    assert list(aws.REGIONS) == sorted(set(aws.REGIONS))
    assert all(aws.clean_region(region) for region in aws.REGIONS)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"access_key_id": "short"}, "access_key_id", "at least 16 capital letters"),
        ({"access_key_id": "AKIA" + "a" * 16}, "access_key_id", "capital letters"),
        ({"access_key_id": "ASIA" + "A" * 16}, "session_token", "has a session token"),
        ({"secret_access_key": "with space"}, "secret_access_key", "no key has"),
        ({"session_token": "two\nlines"}, "session_token", "no key has"),
        ({"session_token": "schlüssel"}, "session_token", "no key has"),
        ({"region": "paris"}, "region", "paris is not an AWS region"),
    ],
)
def test_bad_keys_are_said_at_their_field(changes, field, words):
    form = aws.StaticForm(GOOD | changes)

    assert not form.is_valid()
    assert words in str(form.errors[field])


def test_another_key_id_needs_its_own_secret():
    form = aws.StaticForm({"region": "eu-west-3", "access_key_id": "AKIA" + "B" * 16}, stored=GOOD)

    assert not form.is_valid()
    assert "its own secret access key" in str(form.errors["secret_access_key"])


def test_a_secret_alone_can_be_corrected():
    kept = {"access_key_id": "AKIA" + "A" * 16, "secret_access_key": "wrong"}
    form = aws.StaticForm({"region": "eu-west-3", "secret_access_key": "right"}, stored=kept)

    assert form.is_valid()
    assert form.credential(kept) == kept | {"secret_access_key": "right"}


def test_new_keys_leave_no_token_of_the_old_ones_behind():
    kept = {"access_key_id": "ASIA" + "A" * 16, "secret_access_key": "old", "session_token": "old"}
    form = aws.StaticForm(GOOD, stored=kept)

    assert form.is_valid()
    assert set(form.credential(kept)) == {"access_key_id", "secret_access_key"}


@pytest.mark.sandbox
@pytest.mark.django_db
class TestIdentity:
    @pytest.fixture
    def access(self, sandbox_cloud, aws_endpoint):
        keys = sandbox_cloud.keys["reader"]
        return factories.make_access(credential={"access_key_id": keys[0], "secret_access_key": keys[1]})

    def test_whose_keys_they_are_is_told(self, access):
        manager = aws_secrets_manager.Client(access)

        assert manager.whoami() == "arn:aws:iam::123456789012:user/reader"

    def test_the_accesss_keys_win_over_the_consoles_own(self, access, monkeypatch, sandbox_cloud):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", sandbox_cloud.keys["admin"][0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", sandbox_cloud.keys["admin"][1])
        monkeypatch.setenv("AWS_SESSION_TOKEN", "the console's own")

        assert aws_secrets_manager.Client(access).whoami().endswith("user/reader")

    def test_the_consoles_own_keys_never_step_in(self, access, monkeypatch, sandbox_cloud):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", sandbox_cloud.keys["admin"][0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", sandbox_cloud.keys["admin"][1])
        access.credential = {}

        with pytest.raises(providers.CredentialRefused):
            aws_secrets_manager.Client(access).whoami()

    def test_a_region_is_a_world_of_its_own(self, access, sandbox_cloud):
        sandbox_cloud.put("only/in/us", "x", region="us-east-1")
        access.configuration = {"region": "us-east-1"}
        there = aws_secrets_manager.Client(access).page("only/in/us").entries
        access.configuration = {"region": "eu-west-3"}

        assert [entry.reference.split(":")[3] for entry in there] == ["us-east-1"]
        assert aws_secrets_manager.Client(access).page("only/in/us").entries == []

    def test_tags_and_the_arn_are_brought(self, access):
        entry = aws_secrets_manager.Client(access).page("dev/billing/api-key").entries[0]

        assert entry.reference.startswith(
            "arn:aws:secretsmanager:eu-west-3:123456789012:secret:dev/billing/api-key"
        )
        assert entry.tags == {"stage": "dev", "team": "billing"}
        assert entry.changed_at


@pytest.mark.parametrize("policy", [aws_secrets_manager.LISTING_POLICY, aws_secrets_manager.READING_POLICY])
def test_the_policies_can_be_pasted(policy):
    parsed = json.loads(policy)

    assert parsed["Version"] == "2012-10-17"
    assert any(LIST in one["Action"] and one["Resource"] == "*" for one in parsed["Statement"])
