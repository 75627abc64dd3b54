"""Every provider keeps the same contract, against AWS over HTTP; errors are translated, values never told."""

import logging

import pytest

from accesses import manifests, providers, services
from accesses.providers import aws, aws_secrets_manager
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

REGION = {"region": "eu-west-3"}


def make(keys, **fields):
    credential = {"access_key_id": keys[0], "secret_access_key": keys[1]}
    return factories.make_access(credential=credential, configuration=REGION, **fields)


@pytest.fixture
def access(sandbox_cloud, aws_endpoint):
    return make(sandbox_cloud.keys["reader"])


@pytest.mark.parametrize("provider", providers.PROVIDERS.values(), ids=lambda provider: provider.slug)
class TestContract:
    def test_it_is_described(self, provider):
        assert provider.label
        assert provider.sentence
        assert provider.methods
        for method in provider.methods:
            assert issubclass(method.form, providers.ConfigurationForm)
            assert method.consequence

    def test_credentials_are_never_rendered(self, provider):
        for method in provider.methods:
            names = method.form.secret_names()
            form = method.form(dict.fromkeys(names, "canary-value"))

            assert names
            assert "canary-value" not in form.as_p()

    def test_pages_list_every_name_once(self, provider, access):
        manager = provider.connect(access)
        names, cursor = [], ""
        while True:
            page = manager.page(cursor=cursor)
            names += [entry.name for entry in page.entries]
            cursor = page.cursor
            assert len(page.entries) <= 100
            if not cursor:
                break

        assert len(names) == len(set(names)) == 300

    def test_a_prefix_is_answered_by_the_manager(self, provider, access):
        found = provider.connect(access).page(prefix="dev/billing/").entries

        assert found
        assert all(entry.name.startswith("dev/billing/") for entry in found)

    def test_an_entry_holds_public_facts_only(self, provider, access, sandbox_cloud):
        entry = provider.connect(access).page(prefix="dev/billing/api-key").entries[0]

        assert entry.reference.startswith("arn:aws:secretsmanager:eu-west-3:")
        assert entry.tags == {"stage": "dev", "team": "billing"}
        assert sandbox_cloud.value("dev/billing/api-key") not in repr(entry)

    def test_a_wrong_credential_is_refused(self, provider, access):
        wrong = make(("AKIAWRONGWRONGWRONG0", "wrong"), cluster=access.cluster)

        with pytest.raises(providers.CredentialRefused):
            provider.connect(wrong).page()

    def test_a_missing_permission_is_named(self, provider, access, sandbox_cloud):
        limited = make(sandbox_cloud.limited, cluster=access.cluster)

        with pytest.raises(providers.PermissionMissing) as refusal:
            provider.connect(limited).page()

        assert refusal.value.permission == "secretsmanager:ListSecrets"
        assert "secretsmanager:ListSecrets" in refusal.value.remedy

    def test_nobody_there_is_not_reachable(self, provider, access, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

        with pytest.raises(providers.NotReachable, match="eu-west-3"):
            provider.connect(access).page()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("UnrecognizedClientException", providers.CredentialRefused),
        ("InvalidSignatureException", providers.CredentialRefused),
        ("ExpiredTokenException", providers.CredentialRefused),
        ("AccessDeniedException", providers.PermissionMissing),
        ("ThrottlingException", providers.Throttled),
        ("ResourceNotFoundException", providers.NotThere),
        ("SomethingNew", providers.ProviderError),
    ],
)
def test_aws_codes_are_translated_by_table(code, error):
    from botocore.exceptions import ClientError

    answer = {"Error": {"Code": code, "Message": "canary-value"}}
    with pytest.raises(error) as refusal, aws.translated("secretsmanager:ListSecrets", "eu-west-3", "{}"):
        raise ClientError(answer, "ListSecrets")

    assert "canary-value" not in refusal.value.reason + refusal.value.remedy


@pytest.mark.parametrize(
    "region", ["eu-west-3", "us-gov-east-1", "cn-northwest-1", "ap-southeast-4", "il-central-1"]
)
def test_regions_of_every_partition_are_accepted(region):
    assert aws.clean_region(f" {region.upper()} ") == region


@pytest.mark.parametrize("region", ["paris", "eu-west", "eu-west-3a", "eu-west-3; rm", ""])
def test_what_is_no_region_is_refused(region):
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError, match="not an AWS region"):
        aws.clean_region(region)


def test_the_consoles_own_cloud_identity_is_never_used(access, monkeypatch, sandbox_cloud):
    """An access without keys must not fall back to what the environment happens to hold."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", sandbox_cloud.keys["admin"][0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", sandbox_cloud.keys["admin"][1])
    access.credential = {}

    with pytest.raises(providers.CredentialRefused):
        aws_secrets_manager.Client(access).whoami()


def test_no_log_holds_the_keys(access, caplog):
    with caplog.at_level(logging.DEBUG):
        services.try_access(access)

    assert access.credential["secret_access_key"] not in caplog.text


def test_a_preview_holds_no_value(access):
    shown = repr(manifests.preview(access))

    assert access.credential["secret_access_key"] not in shown
    assert "<set, not shown>" in shown
    assert "ClusterSecretStore" in shown
