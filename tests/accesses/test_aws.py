"""What is particular to AWS: its error codes, its regions, its keys, and whose keys are used."""

import http.server
import json
import threading

import pytest
from botocore.exceptions import BotoCoreError, ClientError, SSLError
from django.core.exceptions import ValidationError

from accesses import providers, situations, trials
from accesses.providers.aws import automatic as aws_automatic
from accesses.providers.aws import forms as aws_forms
from accesses.providers.aws import secrets_manager as aws_secrets_manager
from clusters.models import Cluster
from credentials.clouds import aws
from credentials.clouds.aws import regions as aws_regions
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


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("SignatureDoesNotMatch", "Signature expired: 20261121T100000Z is now earlier than 20261121T100500Z"),
        ("InvalidSignatureException", "Signature not yet current: 20261121T110000Z is still later than …"),
        ("RequestExpired", "Request has expired."),
    ],
)
def test_a_wrong_clock_is_not_taken_for_wrong_keys(code, message):
    answer = {"Error": {"Code": code, "Message": message}}
    with pytest.raises(providers.ProviderError) as refusal, aws.translated(LIST, "eu-west-3", "{}"):
        raise ClientError(answer, "ListSecrets")

    assert "the console's clock is wrong" in refusal.value.reason
    assert not isinstance(refusal.value, providers.CredentialRefused)


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
        result = trials.try_access(factories.make_access())
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
    assert aws_forms.clean_region(f" {region.upper()} ") == region


@pytest.mark.parametrize(
    "region", ["paris", "eu-west", "eu-west-3a", "eu-west-3; rm", "", "eu-west-3\n", "a.evil.example#-east-1"]
)
def test_what_is_no_region_is_refused(region):
    if region == "eu-west-3\n":
        assert aws_forms.clean_region(region) == "eu-west-3"
        return
    with pytest.raises(ValidationError, match="not an AWS region"):
        aws_forms.clean_region(region)


def test_regions_are_those_of_the_sdk_with_the_names_of_their_places():
    served = aws_regions.served("secretsmanager")

    assert served["eu-west-3"] == "Europe (Paris)"
    assert served["cn-north-1"] == "China (Beijing)"
    assert list(served) == sorted(served)
    assert all(aws_forms.clean_region(region) == region for region in served)


def test_a_region_that_was_opened_since_can_be_added(settings):
    with pytest.raises(ValidationError, match="AWS serves no secrets in eu-west-9, as far as this console"):
        aws_forms.clean_region("eu-west-9")
    settings.EXTRA_REGIONS = ["eu-west-9"]
    aws_regions.served.cache_clear()

    assert aws_forms.clean_region("eu-west-9") == "eu-west-9"

    aws_regions.served.cache_clear()


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-3", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_a_region_has_its_partition(region, partition):
    assert aws_regions.partition_of(region) == partition


def test_a_city_is_as_good_as_its_region():
    form = aws_forms.StaticForm(GOOD | {"region": "paris"})

    assert form.is_valid()
    assert form.cleaned_data["region"] == "eu-west-3"


ARN = "arn:aws:iam::123456789012:role/keyhaven-secrets"


@pytest.mark.parametrize(
    ("arn", "words"),
    [
        ("keyhaven-secrets", "This is not the ARN of a role"),
        ("arn:aws:iam::1234:role/x", "has 4 digits; AWS accounts have 12"),
        ("arn:aws:iam::123456789012:user/x", "This is the ARN of a user"),
        ("arn:aws:sts::123456789012:assumed-role/x/y", "This is the ARN of a assumed-role"),
        (
            "arn:aws:cloudformation:eu-west-3:123456789012:stack/x/y",
            "the ARN of the stack; the role's is in its Outputs",
        ),
        ("arn:aws-cn:iam::123456789012:role/x", "partition aws-cn, but eu-west-3 is in aws"),
        ("arn:aws-us-gov:iam::123456789012:role/x", "partition aws-us-gov"),
    ],
)
def test_what_is_no_role_of_the_region_is_said_at_its_field(arn, words):
    form = aws_forms.FederationForm({"region": "eu-west-3", "role_arn": arn})

    assert not form.is_valid()
    assert words in str(form.errors["role_arn"][0])


def test_spaces_around_an_arn_do_not_matter():
    form = aws_forms.FederationForm(
        {"region": "cn-north-1", "role_arn": f" {ARN.replace('arn:aws:', 'arn:aws-cn:')}\n"}
    )

    assert form.is_valid(), form.errors


def test_a_role_of_another_account_than_the_clusters_is_refused_but_not_in_federation():
    situation = providers.Situation(Cluster(kind="eks", account="210987654321"))
    data = {"region": "eu-west-3", "role_arn": ARN}
    own, federated = (
        cls(data, situation=situation) for cls in (aws_forms.RoleForm, aws_forms.FederationForm)
    )

    assert "in the account 123456789012, but the cluster is in 210987654321" in str(own.errors["role_arn"])
    assert federated.is_valid()


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"access_key_id": "short"}, "access_key_id", "at least 16 capital letters"),
        ({"access_key_id": "AKIA" + "a" * 16}, "access_key_id", "capital letters"),
        ({"access_key_id": "ASIA" + "A" * 16}, "session_token", "has a session token"),
        ({"secret_access_key": "with space"}, "secret_access_key", "no key has"),
        ({"session_token": "two\nlines"}, "session_token", "no key has"),
        ({"session_token": "schlüssel"}, "session_token", "no key has"),
        ({"region": "nowhere"}, "region", "nowhere is not an AWS region"),
    ],
)
def test_bad_keys_are_said_at_their_field(changes, field, words):
    form = aws_forms.StaticForm(GOOD | changes)

    assert not form.is_valid()
    assert words in str(form.errors[field])


@pytest.mark.django_db
@pytest.mark.parametrize(("region", "right"), [("eu-central-1", True), ("cn-north-1", False)])
def test_an_automatic_role_is_for_its_clusters_own_partition(region, right):
    cluster = factories.make_cluster(kind="eks", region="eu-west-3", account="123456789012")
    situation = situations.of(cluster, "aws-secrets-manager")

    form = aws_automatic.AutomaticForm({"region": region, "scope": "linked"}, situation=situation)

    assert form.is_valid() is right
    assert right or "in the partition aws-cn, but the cluster is in aws" in str(form.errors["region"])


def test_another_key_id_needs_its_own_secret():
    form = aws_forms.StaticForm({"region": "eu-west-3", "access_key_id": "AKIA" + "B" * 16}, stored=GOOD)

    assert not form.is_valid()
    assert "its own secret access key" in str(form.errors["secret_access_key"])


def test_a_secret_alone_can_be_corrected():
    kept = {"access_key_id": "AKIA" + "A" * 16, "secret_access_key": "wrong"}
    form = aws_forms.StaticForm({"region": "eu-west-3", "secret_access_key": "right"}, stored=kept)

    assert form.is_valid()
    assert form.credential(kept) == kept | {"secret_access_key": "right"}


def test_new_keys_leave_no_token_of_the_old_ones_behind():
    kept = {"access_key_id": "ASIA" + "A" * 16, "secret_access_key": "old", "session_token": "old"}
    form = aws_forms.StaticForm(GOOD, stored=kept)

    assert form.is_valid()
    assert set(form.credential(kept)) == {"access_key_id", "secret_access_key"}


def test_new_keys_leave_no_end_of_the_old_ones_behind():
    kept = {"access_key_id": "ASIA" + "A" * 16, "secret_access_key": "old", "session_token": "old"}
    end = {"expires_at": "2026-11-21T22:00"}
    permanent = aws_forms.StaticForm(GOOD | end, stored=kept)
    temporary = aws_forms.StaticForm({"region": "eu-west-3"} | end, stored=kept)

    assert permanent.is_valid()
    assert permanent.aside()["expires_at"] is None
    assert temporary.is_valid()
    assert temporary.aside()["expires_at"].hour == 22


@pytest.mark.sandbox
@pytest.mark.django_db
class TestIdentity:
    @pytest.fixture
    def access(self, sandbox_cloud, aws_endpoint):
        keys = sandbox_cloud.keys["reader"]
        return factories.make_access(credential={"access_key_id": keys[0], "secret_access_key": keys[1]})

    def test_whose_keys_they_are_is_told(self, access):
        manager = trials.connect(access)

        assert manager.whoami() == "arn:aws:iam::123456789012:user/reader"

    def test_the_accesss_keys_win_over_the_consoles_own(self, access, monkeypatch, sandbox_cloud):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", sandbox_cloud.keys["admin"][0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", sandbox_cloud.keys["admin"][1])
        monkeypatch.setenv("AWS_SESSION_TOKEN", "the console's own")

        assert trials.connect(access).whoami().endswith("user/reader")

    def test_the_consoles_own_keys_never_step_in(self, access, monkeypatch, sandbox_cloud):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", sandbox_cloud.keys["admin"][0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", sandbox_cloud.keys["admin"][1])
        access.credential = {}

        with pytest.raises(providers.CredentialRefused):
            trials.connect(access).whoami()

    def test_a_region_is_a_world_of_its_own(self, access, sandbox_cloud):
        sandbox_cloud.put("only/in/us", "x", region="us-east-1")
        access.configuration = {"region": "us-east-1"}
        there = trials.connect(access).page("only/in/us").entries
        access.configuration = {"region": "eu-west-3"}

        assert [entry.reference.split(":")[3] for entry in there] == ["us-east-1"]
        assert trials.connect(access).page("only/in/us").entries == []

    def test_tags_and_the_arn_are_brought(self, access):
        entry = trials.connect(access).page("dev/billing/api-key").entries[0]

        assert entry.reference.startswith(
            "arn:aws:secretsmanager:eu-west-3:123456789012:secret:dev/billing/api-key"
        )
        assert entry.tags == {"stage": "dev", "team": "billing"}
        assert entry.changed_at


@pytest.mark.parametrize("policy", [aws_secrets_manager.LISTING_POLICY, aws_secrets_manager.PROVIDER.policy])
def test_the_policies_can_be_pasted(policy):
    parsed = json.loads(policy)

    assert parsed["Version"] == "2012-10-17"
    assert any(LIST in one["Action"] and one["Resource"] == "*" for one in parsed["Statement"])
