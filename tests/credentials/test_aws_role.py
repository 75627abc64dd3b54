"""A role is assumed with the organization's external id alone; what is got is kept in memory, and not for long."""

import datetime
import json
import re
import threading
import time

import pytest
from botocore.exceptions import ClientError

from credentials import clouds, issuer, services, signing
from credentials.clouds import aws, errors
from credentials.clouds.aws import arns, asking, console, role
from credentials.models import CloudCredential

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

METHOD = clouds.CLOUDS["aws"].method("role")
ACCOUNT = "123456789012"


@pytest.fixture
def given(organization, console_role):
    """What signing in with the role is given."""
    return {"arn": console_role, **signing.spoken(organization)}


@pytest.fixture
def iam(sandbox_cloud, aws_endpoint):
    return sandbox_cloud.client("iam", "administrator")


def trust_again(iam, arn, condition, principal="arn:aws:iam::210987654321:user/keyhaven"):
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    statement |= {"Condition": condition} if condition else {}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.update_assume_role_policy(RoleName=arn.rpartition("/")[2], PolicyDocument=document)


class TestIdentify:
    def test_it_says_whose_the_role_is_and_how_it_is_entered(self, given, organization):
        facts = METHOD.identify({}, given)

        assert facts == {
            "partition": "aws",
            "arn": given["arn"],
            "account": ACCOUNT,
            "external_id": issuer.subject(organization),
            "session": "keyhaven@localhost",
        }

    def test_temporary_keys_are_the_roles(self, given, iam):
        keys = METHOD.sign_in({}, given)

        name = given["arn"].rpartition("/")[2]
        assert aws.caller(keys, "us-east-1").arn == (
            f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/keyhaven@localhost"
        )
        assert aws.client("iam", keys, "us-east-1").get_role(RoleName=name)["Role"]["Arn"] == given["arn"]

    def test_another_organization_does_not_get_in(self, given, outsider):
        """The confused deputy: the same console, the same role, somebody else's organization."""
        theirs = given | signing.spoken(outsider.memberships.get().organization)

        with pytest.raises(errors.TrustMissing, match="does not let the console in") as raised:
            METHOD.identify({}, theirs)
        with pytest.raises(errors.TrustMissing):
            METHOD.sign_in({}, theirs)

        (statement,) = json.loads(raised.value.policy)["Statement"]
        assert statement["Principal"] == {"AWS": "arn:aws:iam::210987654321:user/keyhaven"}
        assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": theirs["subject"]}}

    @pytest.mark.parametrize(
        ("condition", "said"),
        [
            ({}, "it lets the console in without it"),
            ({"StringLike": {"sts:ExternalId": "keyhaven-*"}}, "it also takes another one"),
            ({"StringLike": {"sts:ExternalId": "*"}}, "it also takes another one"),
        ],
    )
    def test_a_role_that_lets_others_in_is_refused(self, given, iam, condition, said):
        trust_again(iam, given["arn"], condition)

        with pytest.raises(errors.TrustMissing, match=said) as raised:
            METHOD.identify({}, given)

        (statement,) = json.loads(raised.value.policy)["Statement"]
        assert statement["Condition"]["StringEquals"] == {"sts:ExternalId": given["subject"]}
        assert len(role.kept) == 0

    def test_the_policy_to_copy_is_the_one_that_works(self, given, iam):
        trust_again(iam, given["arn"], {}, principal=f"arn:aws:iam::{ACCOUNT}:root")
        with pytest.raises(errors.TrustMissing) as raised:
            METHOD.identify({}, given)

        name = given["arn"].rpartition("/")[2]
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=raised.value.policy)

        assert METHOD.identify({}, given)["account"] == ACCOUNT

    def test_what_is_said_is_not_longer_than_its_column(self, given, admin, organization):
        credential = services.create(
            organization=organization, name="aws-role", cloud="aws", method="role", secret={},
            given={"arn": given["arn"]}, by=admin,
        )  # fmt: skip
        CloudCredential.objects.update(facts=credential.facts | {"arn": f"{given['arn']}-gone"})
        credential.refresh_from_db()

        services.check(credential, by=admin)

        credential.refresh_from_db()
        assert credential.check_error.startswith("The role is not there")
        assert credential.check_remedy.endswith(".")
        assert credential.expires_at is None
        assert credential.rotate_at is None


class TestKept:
    def test_keys_are_asked_for_once_and_again_five_minutes_before_they_end(self, given, monkeypatch):
        first = METHOD.sign_in({}, given)
        again = METHOD.sign_in({}, given)

        now = time.time()
        monkeypatch.setattr(role.time, "time", lambda: now + role.SECONDS - role.SPARE - 5)
        later = METHOD.sign_in({}, given)
        monkeypatch.setattr(role.time, "time", lambda: now + role.SECONDS - role.SPARE + 5)
        renewed = METHOD.sign_in({}, given)

        assert first is again is later
        assert renewed != first

    def test_a_check_asks_aws_itself(self, given, iam):
        METHOD.sign_in({}, given)
        iam.delete_role_policy(RoleName=given["arn"].rpartition("/")[2], PolicyName="keyhaven")
        iam.delete_role(RoleName=given["arn"].rpartition("/")[2])

        with pytest.raises(errors.TrustMissing):
            METHOD.identify({}, given)

    def test_they_are_bounded_and_shown_nowhere(self):
        kept = role._Kept()
        keys = aws.Keys("ASIA" + "Z" * 16, "canary-secret", "canary-token")

        for number in range(role.MOST_KEPT + 40):
            kept.put((str(number), "id"), time.time() + 3600, keys)

        assert len(kept) == role.MOST_KEPT
        assert kept.get(("0", "id")) is None
        assert kept.get((str(role.MOST_KEPT + 39), "id")) is keys
        assert "canary" not in f"{keys!r}{kept!r}"

    def test_many_threads_get_the_same_keys(self, given):
        METHOD.sign_in({}, given)
        found = []

        threads = [threading.Thread(target=lambda: found.append(METHOD.sign_in({}, given))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(found) == 8
        assert len(set(found)) == 1


class TestOwnIdentity:
    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({}, "no identity of its own at AWS"),
            ({"CONSOLE_AWS_ACCESS_KEY_ID": "AKIA"}, "one half is missing"),
            ({"CONSOLE_AWS_IDENTITY": "yes"}, "a value that means nothing"),
        ],
    )
    def test_without_one_the_method_says_why_and_what_to_set(self, settings, values, said):
        settings.CONSOLE_AWS_ACCESS_KEY_ID = settings.CONSOLE_AWS_SECRET_ACCESS_KEY = ""
        settings.CONSOLE_AWS_IDENTITY = ""
        for name, value in values.items():
            setattr(settings, name, value)

        hindered = METHOD.obstacle()

        assert said in hindered.reason
        assert "CONSOLE_AWS_ACCESS_KEY_ID" in hindered.remedy
        assert "CONSOLE_AWS_IDENTITY=default" in hindered.remedy
        with pytest.raises(errors.NotPossibleHere, match=said):
            METHOD.sign_in({}, {"arn": arns.EXAMPLE, "subject": "s", "issuer": "https://k.example"})

    def test_with_one_nothing_hinders(self, own_identity):
        assert METHOD.obstacle() is None
        assert console.principal() == own_identity

    @pytest.mark.parametrize("name", ["CONSOLE_AWS_ACCESS_KEY_ID", "CONSOLE_AWS_SECRET_ACCESS_KEY"])
    def test_when_aws_refuses_it_it_says_that_it_is_the_consoles(self, given, settings, name):
        setattr(settings, name, "AKIA" + "Z" * 16)

        with pytest.raises(console.OwnRefused, match="the console's own identity") as raised:
            METHOD.identify({}, given)

        assert "CONSOLE_AWS_ACCESS_KEY_ID" in raised.value.remedy
        assert console.principal() == ""

    def test_the_machines_identity_is_taken_where_that_is_said(
        self, given, settings, sandbox_cloud, monkeypatch
    ):
        key_id, secret = sandbox_cloud.keys["keyhaven"]
        settings.CONSOLE_AWS_ACCESS_KEY_ID = settings.CONSOLE_AWS_SECRET_ACCESS_KEY = ""
        settings.CONSOLE_AWS_IDENTITY = "default"
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        console.forget()

        facts = METHOD.identify({}, given)

        assert facts["account"] == ACCOUNT
        assert METHOD.obstacle() is None

    def test_a_machine_without_identity_is_said(self, given, settings, monkeypatch, tmp_path):
        settings.CONSOLE_AWS_ACCESS_KEY_ID = settings.CONSOLE_AWS_SECRET_ACCESS_KEY = ""
        settings.CONSOLE_AWS_IDENTITY = "default"
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        console.forget()

        with pytest.raises(console.OwnRefused, match="has no identity at AWS"):
            METHOD.identify({}, given)

    def test_a_role_of_another_partition_is_out_of_its_reach(self, given, settings):
        """An identity is good for its own partition; another one's STS does not know its keys."""
        console.principal()
        settings.CONSOLE_AWS_SECRET_ACCESS_KEY = "z" * 40
        china = given | {"arn": given["arn"].replace("arn:aws:", "arn:aws-cn:")}

        with pytest.raises(errors.NotPossibleHere, match=r"in the partition aws-cn, .* in aws;"):
            METHOD.identify({}, china)

    @pytest.mark.parametrize(
        ("arn", "principal"),
        [
            ("arn:aws:sts::1:assumed-role/keyhaven/i-0123", "arn:aws:iam::1:role/keyhaven"),
            ("arn:aws-cn:sts::1:assumed-role/keyhaven/s", "arn:aws-cn:iam::1:role/keyhaven"),
            ("arn:aws:iam::1:user/ci/keyhaven", "arn:aws:iam::1:user/ci/keyhaven"),
        ],
    )
    def test_a_trust_policy_names_the_role_and_not_its_session(self, arn, principal):
        assert console.principal_of(arn) == principal

    def test_nobody_answers(self, given, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

        with pytest.raises(errors.NotReachable, match="AWS does not answer in us-east-1"):
            METHOD.identify({}, given)


class TestRefusals:
    """What the stand-in never says."""

    @pytest.mark.parametrize(
        ("code", "message", "wanted", "said"),
        [
            ("Throttling", "Rate exceeded", errors.Throttled, "AWS asks to slow down."),
            ("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
             errors.NotValid, "sessions may not be as long"),
            ("ExpiredToken", "The security token included in the request is expired", console.OwnRefused, "own identity"),
            ("RegionDisabledException", "STS is not activated", errors.ProviderError, "AWS answered RegionDisabledException."),
        ],
    )  # fmt: skip
    def test_each_has_its_sentence(self, given, monkeypatch, code, message, wanted, said):
        answer = {"Error": {"Code": code, "Message": f"{message} canary-text"}}

        class Client:
            def assume_role(self, **asked):
                raise ClientError(answer, "AssumeRole")

        monkeypatch.setattr(asking, "client", lambda *given, **more: Client())
        monkeypatch.setattr(console, "principal", lambda: "")

        with pytest.raises(wanted, match=said) as raised:
            METHOD.identify({}, given)

        assert "canary-text" not in f"{raised.value!r}{raised.value.remedy}"


class TestArn:
    @pytest.mark.parametrize(
        "arn",
        [
            "arn:aws:iam::123456789012:role/keyhaven-console",
            "arn:aws-cn:iam::123456789012:role/team/ci/x",
            "arn:aws-us-gov:iam::123456789012:role/a+b=c,d.e@f-g_h",
        ],
    )
    def test_a_roles_own_is_taken_as_it_is(self, arn):
        assert arns.role(arn).arn == arn

    @pytest.mark.parametrize(
        ("arn", "said"),
        [
            ("keyhaven-console", "six parts with colons"),
            ("arn:aws:iam:123456789012:role/x", "six parts with colons"),
            ("arn:aws:iam::123456789012:user/x", "ARN of a user"),
            ("arn:aws:iam::123456789012:group/x", "ARN of a group"),
            ("arn:aws:iam::123456789012:policy/x", "ARN of a policy"),
            ("arn:aws:iam::123456789012:instance-profile/x", "ARN of an instance profile"),
            ("arn:aws:iam::123456789012:oidc-provider/x", "ARN of an identity provider"),
            ("arn:aws:iam::123456789012:root", "ARN of an account"),
            ("arn:aws:iam::123456789012:rolex/x", "The last part begins with role/"),
            ("arn:aws:sts::123456789012:assumed-role/x/y", "a session of a role"),
            ("arn:aws:eks:eu-west-3:123456789012:cluster/x", "This is an ARN of eks."),
            ("arn:aws:<b>:eu-west-3:123456789012:cluster/x", "This is an ARN of another service."),
            ("arn:moon:iam::123456789012:role/x", "the partition, which is one of aws, aws-cn"),
            ("arn:aws:iam:eu-west-3:123456789012:role/x", "Roles have no region"),
            ("arn:aws:iam::12345678901:role/x", "it has 11 characters."),
            ("arn:aws:iam::1234567890123:role/x", "it has 13 characters."),
            ("arn:aws:iam::12345678901a:role/x", "not all of them digits."),
            ("arn:aws:iam::123456789012:role/", "at most 64 letters"),
            ("arn:aws:iam::123456789012:role/*", "no star"),
            ("arn:aws:iam::123456789012:role/" + "x" * 65, "at most 64 letters"),
            ("arn:aws:iam::123456789012:role/a//b", "no two slashes"),
            ("arn:aws:iam::123456789012:role/a*/b", "no star"),
            ("arn:aws:iam::123456789012:role/aws-service-role/x.amazonaws.com/y", "Only AWS's own services"),
            ("arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/y", "IAM Identity Center's"),
        ],
    )
    def test_each_other_one_has_its_sentence(self, arn, said):
        form = role.RoleForm({"arn": arn})

        assert not form.is_valid()
        assert said in form.errors["arn"][0]
        with pytest.raises(errors.NotValid, match=re.escape(said)):
            METHOD.sign_in({}, {"arn": arn, "subject": "s", "issuer": "https://k.example"})


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://keyhaven.acme.example", "keyhaven@keyhaven.acme.example"),
        ("http://localhost:8000", "keyhaven@localhost"),
        ("https://" + "a" * 60 + ".example", "keyhaven@" + "a" * 55),
    ],
)
def test_cloudtrail_tells_which_console_it_was(address, name):
    assert role.session_name(address) == name


class TestStandIn:
    """The stand-in judges as AWS does."""

    def assume(self, sandbox_cloud, arn, user="keyhaven", **more):
        sts = sandbox_cloud.client("sts", user, "us-east-1")
        return sts.assume_role(RoleArn=arn, RoleSessionName="test", **more)["Credentials"]

    def test_who_is_not_trusted_or_may_not_assume_is_refused(self, sandbox_cloud, given, iam):
        right = {"ExternalId": given["subject"]}

        assert self.assume(sandbox_cloud, given["arn"], **right)["Expiration"] > datetime.datetime.now(
            datetime.UTC
        )
        for user, more in (
            ("keyhaven", {}),
            ("keyhaven", {"ExternalId": "xx"}),
            ("reader", right),
            ("foreigner", right),
        ):
            with pytest.raises(ClientError, match="is not authorized to perform: sts:AssumeRole"):
                self.assume(sandbox_cloud, given["arn"], user, **more)
        with pytest.raises(ClientError, match="is not authorized"):
            self.assume(sandbox_cloud, f"{given['arn']}-gone", **right)

    def test_no_session_is_longer_than_the_role_says(self, sandbox_cloud, given):
        with pytest.raises(ClientError, match="exceeds the MaxSessionDuration"):
            self.assume(sandbox_cloud, given["arn"], ExternalId=given["subject"], DurationSeconds=7200)

    def test_an_account_or_a_roles_session_may_be_trusted(self, sandbox_cloud, given, iam):
        trust_again(iam, given["arn"], {}, principal="arn:aws:iam::210987654321:root")

        assert self.assume(sandbox_cloud, given["arn"])["AccessKeyId"].startswith("ASIA")
