"""Setting up an AWS account: the template, the cards and the policies lead to credentials that work, and to no more."""

import ast
import json
import re
import subprocess
from io import StringIO
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import call_command

from accesses.models import PublishedTemplate
from credentials import clouds, issuer, signing
from credentials.clouds.aws import cards, console, policies, stacks
from credentials.clouds.base import Helped
from sandbox import world

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

CLOUD = clouds.CLOUDS["aws"]
REGIONS = ("eu-west-3", "us-east-1", "cn-north-1", "us-gov-west-1")


@pytest.fixture
def helped(organization):
    return Helped(issuer.subject(organization), "https://keyhaven.example", "https://keyhaven.example")


@pytest.fixture
def aws(sandbox_cloud, aws_endpoint, monkeypatch):
    """The administrator's clients, and its keys where boto3 looks for them."""
    key, secret = sandbox_cloud.keys["administrator"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    return SimpleNamespace(client=lambda service: sandbox_cloud.client(service, "administrator"))


def create(aws, given, **template):
    """Create a stack and return its role as IAM has it, with all statements of its inline policies."""
    cloud = aws.client("cloudformation")
    cloud.create_stack(
        StackName=given["RoleName"],
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        **template or {"TemplateBody": stacks.CONSOLE.text},
    )
    described = cloud.describe_stacks(StackName=given["RoleName"])["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    iam, name = aws.client("iam"), given["RoleName"]
    statements = [
        statement
        for policy in sorted(iam.list_role_policies(RoleName=name)["PolicyNames"], reverse=True)
        for statement in iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]["Statement"]
    ]
    role = iam.get_role(RoleName=name)["Role"]
    return SimpleNamespace(arn=outputs["RoleARN"], role=role, statements=statements)


def by_sid(statements):
    return {statement["Sid"]: statement for statement in statements}


class TestTemplate:
    def test_the_linter_has_nothing_to_say(self):
        from cfnlint.api import lint_file
        from cfnlint.config import ManualArgs

        assert (
            lint_file(stacks.CONSOLE.path, config=ManualArgs(regions=list(REGIONS), include_checks=["I"]))
            == []
        )

    def test_the_linter_would_say_something(self, tmp_path):
        from cfnlint.api import lint_file
        from cfnlint.config import ManualArgs

        file = tmp_path / "wrong.yaml"
        file.write_text(stacks.CONSOLE.text.replace("!GetAtt Role.Arn", "!GetAtt Roll.Arn"))

        assert lint_file(file, config=ManualArgs(regions=["eu-west-3"]))

    def test_its_role_lets_the_console_in_for_one_organization(
        self, aws, own_identity, role_name, helped, organization, outsider
    ):
        given = cards.parameters(own_identity, helped.subject) | {"RoleName": role_name}

        made = create(aws, given)

        method, mine = CLOUD.method("role"), {"arn": made.arn} | signing.spoken(organization)
        theirs = {"arn": made.arn} | signing.spoken(outsider.memberships.get().organization)
        assert method.identify({}, mine)["external_id"] == helped.subject
        with pytest.raises(clouds.errors.TrustMissing):
            method.identify({}, theirs)
        assert made.role["AssumeRolePolicyDocument"] == json.loads(
            policies.trust(own_identity, helped.subject)
        )
        assert made.role["Tags"] == [{"Key": "managed-by", "Value": "keyhaven"}]

    @pytest.mark.parametrize("automatic", [False, True])
    def test_its_policy_is_the_one_that_the_page_shows(self, aws, own_identity, role_name, helped, automatic):
        given = cards.parameters(own_identity, helped.subject, automatic=automatic) | {"RoleName": role_name}

        made = create(aws, given)

        shown = json.loads(CLOUD.policy({"account": world.ACCOUNT, "partition": "aws", "arn": made.arn}))[
            "Statement"
        ]
        wanted = by_sid(shown if automatic else policies.clusters(world.ACCOUNT))
        assert by_sid(made.statements) == wanted

    @pytest.mark.parametrize(
        ("name", "wrong"),
        [
            ("ConsolePrincipal", "*"),
            ("ConsolePrincipal", "arn:aws:iam::123456789012:root"),
            ("ConsolePrincipal", policies.PRINCIPAL),
            ("ExternalId", "*"),
            ("ExternalId", ""),
            ("ExternalId", "keyhaven-*"),
            ("RoleName", "console"),
            ("RoleName", "keyhaven-*"),
        ],
    )
    def test_a_parameter_that_would_open_the_role_is_refused(self, helped, name, wrong):
        from cfnlint.decode import cfn_yaml

        known = cfn_yaml.load(str(stacks.CONSOLE.path))["Parameters"]
        right = cards.parameters("arn:aws:iam::123456789012:user/ci/keyhaven", helped.subject)

        assert not re.fullmatch(known[name]["AllowedPattern"], wrong)
        assert re.fullmatch(known[name]["AllowedPattern"], right[name])
        assert set(right) == set(known)
        assert known["RoleName"]["Default"] == cards.ROLE_NAME

    def test_no_arn_is_of_one_partition_only(self):
        found = re.findall(r"!Sub arn:([^:]+(?:::[^:}]+})?)", stacks.CONSOLE.text)

        assert set(found) == {"${AWS::Partition}"}

    def test_everybody_may_download_it(self, client):
        page = client.get(f"/setup/{stacks.CONSOLE.file}")

        assert page.content.decode() == stacks.CONSOLE.text
        assert page["Content-Type"] == "text/yaml; charset=utf-8"
        assert (
            client.get(f"/setup/{stacks.CONSOLE.file}", headers={"If-None-Match": page["ETag"]}).status_code
            == 304
        )


class TestCardsOfARole:
    def test_without_a_published_template_there_is_a_command_that_survives_a_shell(
        self, own_identity, helped, tmp_path
    ):
        first, second, by_hand = cards.for_role(helped)
        stub = tmp_path / "aws"
        stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        stub.chmod(0o755)

        ran = subprocess.run(
            ["bash", "-euc", first.listings[0].text], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, cwd=tmp_path,
            capture_output=True, text=True, check=True,
        )  # fmt: skip

        words = ran.stdout.splitlines()
        given = dict(word.split("=", 1) for word in words[words.index("--parameter-overrides") + 1 :])
        assert first.link is None
        assert given == cards.parameters(own_identity, helped.subject)
        assert (
            words[words.index("--template-file") + 1]
            == first.listings[1].file
            == "keyhaven-console-role.yaml"
        )
        assert "publish_template" in first.listings[2].text
        assert "RoleARN" in second.listings[0].text
        assert by_hand.listings[0].text == policies.trust(own_identity, helped.subject)

    def test_a_published_template_is_a_link_that_makes_the_role(self, aws, own_identity, helped, role_name):
        """As a person goes: publish, click, create, copy from the outputs."""
        out = StringIO()
        call_command(
            "publish_template", bucket=f"t-{role_name}", region="us-east-1", create_bucket=True, stdout=out
        )

        label, url = cards.for_role(helped)[0].link

        asked = parse_qs(urlsplit(url).fragment.partition("?")[2], strict_parsing=True)
        given = {
            key.removeprefix("param_"): values[0] for key, values in asked.items() if key.startswith("param_")
        }
        template = asked["templateURL"][0]
        made = create(aws, given | {"RoleName": role_name}, TemplateURL=template)
        assert label
        assert out.getvalue().split()[1] == template
        assert made.arn == f"arn:aws:iam::{world.ACCOUNT}:role/{role_name}"
        assert given == cards.parameters(own_identity, helped.subject)

    def test_an_older_template_is_no_link_and_the_other_ones_row_is_its_own(self, own_identity, helped):
        PublishedTemplate.objects.create(
            region="us-east-1",
            digest="0" * 64,
            url="https://b.s3.x.amazonaws.com/k/keyhaven-console-role-0.yaml",
        )

        from accesses.setup import cloudformation

        assert cards.for_role(helped)[0].link is None
        assert cloudformation.published("us-east-1") is None

    def test_where_the_console_cannot_be_asked_it_says_what_to_fill_in(
        self, own_identity, helped, monkeypatch
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        console.forget()

        shown = cards.for_role(helped)

        assert f"put its ARN in place of {policies.PRINCIPAL}" in shown[0].text
        assert f"ConsolePrincipal={policies.PRINCIPAL}" in shown[0].listings[0].text
        assert shown[0].link is None

    def test_of_a_role_that_is_there_the_policy_has_its_account(self, own_identity, helped):
        facts = {
            "partition": "aws-cn",
            "account": "210987654321",
            "arn": "arn:aws-cn:iam::210987654321:role/x",
        }

        shown = cards.for_role(Helped(helped.subject, "", "", facts))

        text = shown[2].listings[1].text
        assert "arn:aws-cn:iam::210987654321:role/keyhaven-*" in text
        assert "cn-north-1" in shown[0].listings[0].text


class TestCardsOfKeys:
    def test_following_them_leads_to_keys_that_work(self, aws, helped, role_name):
        iam = aws.client("iam")
        user, attach, _ = cards.for_keys(helped)
        iam.create_user(UserName=role_name)
        for number, listing in enumerate((attach.listings[0], attach.listings[2])):
            text = listing.text.replace("ACCOUNT_ID", world.ACCOUNT).replace(cards.USER, role_name)
            iam.put_user_policy(UserName=role_name, PolicyName=str(number), PolicyDocument=text)
        made = iam.create_access_key(UserName=role_name)["AccessKey"]

        method = CLOUD.method("static")
        secret = {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}
        facts = method.identify(secret, {"partition": "aws"})

        assert facts["made"]
        assert len(method.keyring.keys(method.sign_in(secret, facts), facts)) == 1
        assert user.link[1].startswith("https://us-east-1.console.aws.amazon.com/iam/")

    def test_both_policies_fit_a_user(self, helped):
        """IAM takes 2,048 characters of inline policies for a user, without whitespace."""
        attach = cards.for_keys(helped)[1]

        size = sum(
            len(re.sub(r"\s", "", listing.text)) for listing in (attach.listings[0], attach.listings[2])
        )

        assert size <= 2048


# Where requests to AWS are made with a cloud credential.
SOURCES = {
    "granted": ("credentials/clouds/aws", "secrets/accesses/identities/aws.py", "secrets/accesses/providers/aws/preflight.py"),
}  # fmt: skip


def called(project, service):
    """Return the operations of a service that the console's sources name, as methods or as paginators."""
    from botocore import xform_name
    from botocore.session import Session

    operations = {xform_name(name): name for name in Session().get_service_model(service).operation_names}
    named = set()
    for source in SOURCES["granted"]:
        path = project / source
        for file in path.rglob("*.py") if path.is_dir() else [path]:
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Attribute):
                    named.add(node.attr)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    named.add(node.value)
    return {f"{service}:{operations[name]}" for name in named & set(operations)}


def granted(text):
    return {
        action
        for one in json.loads(text)["Statement"]
        for action in one["Action"]
        if one["Effect"] == "Allow"
    }


class TestPolicies:
    def test_what_is_granted_is_used_and_what_is_used_is_granted(self, project):
        own = granted(policies.for_aws(world.ACCOUNT)) | granted(policies.for_keys("arn:aws:iam::1:user/x"))
        used = called(project, "iam") | called(project, "eks")

        # Its tags are given as it is made; AWS asks for the permission all the same.
        assert own - used == {"iam:TagOpenIDConnectProvider"}
        assert used - own == set()

    def test_an_evaluator_allows_ours_and_nothing_else(self):
        from moto.iam.access_control import IAMPolicy, PermissionResult

        iam = f"arn:aws:iam::{world.ACCOUNT}"
        policy = IAMPolicy(policies.for_aws(world.ACCOUNT, role_arn=f"{iam}:role/keyhaven-console"))

        def allowed(action, resource):
            return policy.is_action_permitted(action, resource) is PermissionResult.PERMITTED

        assert allowed("eks:ListClusters", "*")
        assert allowed("eks:DescribeCluster", f"arn:aws:eks:eu-west-3:{world.ACCOUNT}:cluster/prod")
        assert not allowed("eks:DescribeCluster", "arn:aws:eks:eu-west-3:999999999999:cluster/prod")
        assert not allowed("eks:CreateAccessEntry", f"arn:aws:eks:eu-west-3:{world.ACCOUNT}:cluster/prod")
        assert allowed("iam:PutRolePolicy", f"{iam}:role/keyhaven-aws-1")
        assert not allowed("iam:PutRolePolicy", f"{iam}:role/admin")
        assert not allowed("iam:PutRolePolicy", f"{iam}:role/keyhaven-console")
        assert not allowed("iam:UpdateAssumeRolePolicy", f"{iam}:role/keyhaven-console")
        assert not allowed("iam:AttachRolePolicy", f"{iam}:role/keyhaven-aws-1")
        assert not allowed("iam:CreateAccessKey", f"{iam}:user/keyhaven-console")
        assert not allowed("sts:AssumeRole", f"{iam}:role/keyhaven-aws-1")

    def test_a_users_own_keys_are_its_own(self):
        from moto.iam.access_control import IAMPolicy, PermissionResult

        iam = f"arn:aws:iam::{world.ACCOUNT}:user"
        policy = IAMPolicy(policies.for_keys(f"{iam}/keyhaven-console"))

        def allowed(resource):
            return policy.is_action_permitted("iam:CreateAccessKey", resource) is PermissionResult.PERMITTED

        assert allowed(f"{iam}/keyhaven-console")
        assert not allowed(f"{iam}/keyhaven-console-2")
        assert not allowed(f"{iam}/admin")

    def test_the_consoles_own_identity_assumes_roles_of_ours_and_does_nothing_else(self):
        assert granted(policies.for_console()) == {"sts:AssumeRole"}
        (statement,) = json.loads(policies.for_console("aws-cn"))["Statement"]
        assert statement["Resource"] == "arn:aws-cn:iam::*:role/keyhaven-*"
