"""What is special of writing to AWS and Google: names, tags, what refusals mean, and a secret that stays empty."""

import json

import pytest

from accesses import providers, trials
from accesses.providers.aws import parameter_store as aws_parameter_store
from accesses.providers.aws import secrets_manager as aws_secrets_manager
from accesses.providers.aws import writing as aws_writing
from accesses.providers.google import writing as google_writing
from accesses.providers.references import NotReadable
from sandbox import aws_seeds
from sandbox.google_state import ROLES
from tests.accesses import worlds
from tests.accesses.worlds import Sandbox, make_access

SECRETS, PARAMETERS = aws_secrets_manager.writable_name, aws_parameter_store.writable_name


def test_the_stand_ins_allow_what_the_policies_say_and_no_more():
    texts = (aws_secrets_manager.WRITING_POLICY, aws_parameter_store.WRITING_POLICY)
    told = {one for text in texts for one in json.loads(text)["Statement"][0]["Action"]}
    role = next(actions for name, actions in ROLES.items() if name.endswith(google_writing.ROLE))

    assert told == set(aws_seeds.WRITING)
    assert all(one in google_writing.POLICY for one in role)
    assert google_writing.POLICY.count("secretmanager.") == len(role)


@pytest.mark.parametrize(
    ("check", "name"),
    [
        (SECRETS, ""), (SECRETS, "!x"), (SECRETS, "a b"), (SECRETS, "x" * 513), (SECRETS, "ü"), (SECRETS, "a\n"),
        (PARAMETERS, ""), (PARAMETERS, "a/b"), (PARAMETERS, "/aws/x"), (PARAMETERS, "ssm-x"), (PARAMETERS, "a b"),
        (PARAMETERS, "/a" * 16), (PARAMETERS, "x" * 1012),
        (google_writing.writable_name, "a/b"), (google_writing.writable_name, ""),
        (google_writing.writable_name, "x" * 256), (google_writing.writable_name, "ü"),
        (google_writing.writable_name, "a\n"),
    ],
)  # fmt: skip
def test_a_name_that_is_none_is_refused_here(check, name):
    with pytest.raises(NotReadable):
        check(None, name)


@pytest.mark.parametrize(
    ("check", "tags"),
    [
        (aws_writing.check_tags, {"aws:x": "y"}), (aws_writing.check_tags, {"a": "b;c"}),
        (aws_writing.check_tags, {str(number): "x" for number in range(51)}),
        (google_writing.check_labels, {"Team": "shop"}), (google_writing.check_labels, {"team": "Shop"}),
        (google_writing.check_labels, {"1": "x"}), (google_writing.check_labels, {"a": "x" * 64}),
        (google_writing.check_labels, {"a b": "x"}),
    ],
)  # fmt: skip
def test_tags_that_are_none_there_are_refused_and_not_changed(check, tags):
    with pytest.raises(NotReadable):
        check(tags)


@pytest.mark.parametrize(
    ("code", "status", "making", "kind"),
    [
        ("InvalidRequestException", 400, True, providers.AlreadyThere),
        ("InvalidRequestException", 400, False, providers.NotThere),
        ("ResourceExistsException", 400, True, providers.AlreadyThere),
        ("ParameterAlreadyExists", 400, True, providers.AlreadyThere),
        ("ParameterNotFound", 400, False, providers.NotThere),
        ("ValidationException", 400, True, providers.ProviderError),
        ("EncryptionFailure", 400, True, providers.ProviderError),
        ("InternalServiceError", 500, True, providers.NotReachable),
        ("AccessDeniedException", 400, True, providers.PermissionMissing),
        ("ThrottlingException", 400, False, providers.Throttled),
        ("SomethingNew", 400, False, providers.ProviderError),
    ],
)
def test_what_a_refusal_of_aws_means(code, status, making, kind):
    from botocore.exceptions import ClientError

    said = {"Error": {"Code": code, "Message": "canary"}, "ResponseMetadata": {"HTTPStatusCode": status}}

    with pytest.raises(providers.ProviderError) as refusal:  # noqa: SIM117
        with aws_writing.once("secretsmanager:CreateSecret", "eu-west-3", "{}", making=making):
            raise ClientError(said, "CreateSecret")

    assert type(refusal.value) is kind or (
        kind is providers.ProviderError and isinstance(refusal.value, kind)
    )
    assert "canary" not in refusal.value.reason + refusal.value.remedy + repr(refusal.value)


@pytest.mark.sandbox
@pytest.mark.django_db
class TestGoogle:
    @pytest.fixture
    def found(self, request):
        return worlds.of("gcp-secret-manager", "key", Sandbox(request))

    @pytest.fixture
    def manager(self, found, sandbox_google):
        yield trials.connect(make_access("gcp-secret-manager", found, found.writer))
        sandbox_google.plant("faults")
        sandbox_google.delete("written-one")

    def test_a_secret_whose_value_is_refused_does_not_stay_empty(self, manager, sandbox_google):
        sandbox_google.plant("faults", no_version=True)

        with pytest.raises(providers.PermissionMissing, match=r"secretmanager\.versions\.add"):
            manager.create("written-one", "canary", {})

        assert [one.name for one in manager.page("written-one").entries] == []

    @pytest.mark.parametrize("status", [429, 503])
    def test_nothing_is_sent_twice(self, manager, sandbox_google, status):
        # A second request would be answered well.
        sandbox_google.plant("faults", write_once=status)

        with pytest.raises((providers.Throttled, providers.NotReachable)):
            manager.create("written-one", "canary", {})

        assert [one.name for one in manager.page("written-one").entries] == []

    def test_labels_that_are_there_stay(self, manager):
        manager.create("written-one", "canary", {"team": "shop"})

        manager.tag("written-one", {"stage": "prod"})

        entry = manager.page("written-one").entries[0]
        assert entry.tags == {"team": "shop", "stage": "prod"}

    def test_the_missing_role_is_told_for_this_project(self, found):
        reader = trials.connect(make_access("gcp-secret-manager", found, found.good))

        with pytest.raises(providers.PermissionMissing) as refusal:
            reader.create("written-one", "canary", {})

        assert f"--project={found.configuration['project']}" in refusal.value.policy
        assert refusal.value.permission == "secretmanager.secrets.create"


@pytest.mark.sandbox
@pytest.mark.django_db
def test_a_parameter_has_its_tags_and_keeps_its_kind(request, sandbox_cloud):
    found = worlds.of("aws-parameter-store", "static", Sandbox(request))
    manager = trials.connect(make_access("aws-parameter-store", found, found.writer))
    name = "/written/tagged"
    client = sandbox_cloud.client("ssm")
    client.put_parameter(Name=name, Value="first", Type="String")
    try:
        manager.put(name, "second")
        manager.tag(name, {"team": "shop"})

        told = client.get_parameter(Name=name)["Parameter"]
        tags = client.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
        assert (told["Type"], told["Value"]) == ("String", "second")
        assert tags == [{"Key": "team", "Value": "shop"}]
    finally:
        client.delete_parameter(Name=name)
