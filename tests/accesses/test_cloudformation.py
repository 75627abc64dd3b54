"""The CloudFormation template: linted, published, created from its link, and equal to the generated policies."""

import json
import re
import subprocess
import uuid
from io import StringIO
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from django.core.management import CommandError, call_command

from accesses.models import PublishedTemplate
from accesses.setup import cloudformation, policies
from accesses.setup.policies import PARAMETER_STORE, SECRETS_MANAGER, Place
from credentials.clouds.aws import stacks

pytestmark = pytest.mark.django_db

ISSUER = "https://oidc.eks.eu-west-3.amazonaws.com/id/0123456789ABCDEF"
# Whose account it is at moto.
ACCOUNT = "123456789012"


def parameters(**changed):
    given = {
        "provider": SECRETS_MANAGER,
        "issuer": ISSUER,
        "namespace": "external-secrets",
        "service_account": "aws-1a2b3c4d",
    }
    return cloudformation.parameters(**given | changed)


@pytest.fixture(scope="module")
def template(project):
    from cfnlint.decode import cfn_yaml

    return cfn_yaml.load(str(project / "secrets" / "accesses" / "setup" / "role.yaml"))


@pytest.fixture
def aws(sandbox_cloud, aws_endpoint, monkeypatch):
    """The administrator's credentials, where boto3 looks for them; and their clients."""
    key, secret = sandbox_cloud.keys["administrator"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)

    def client(service, region="eu-west-3"):
        return sandbox_cloud.client(service, "administrator", region)

    return SimpleNamespace(client=client)


@pytest.fixture
def bucket():
    """A name that no other test has."""
    return f"templates-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def name():
    """The name of a stack and of its role."""
    return f"keyhaven-{uuid.uuid4().hex[:8]}"


def publish(**options):
    out = StringIO()
    call_command(
        "publish_template", **{"bucket": "acme-templates", "region": "eu-west-3", "stdout": out} | options
    )
    return out.getvalue().split()[0]


def taken_apart(url):
    """The region, the template's address, the stack's name and the parameters of a quick-create link."""
    parts = urlsplit(url)
    page, _, query = parts.fragment.partition("?")
    asked = {
        name: values[0]
        for name, values in parse_qs(query, keep_blank_values=True, strict_parsing=True).items()
    }
    given = {name.removeprefix("param_"): value for name, value in asked.items() if name.startswith("param_")}
    return SimpleNamespace(
        host=parts.hostname, page=page, region=parse_qs(parts.query)["region"][0],
        template=asked["templateURL"], stack=asked["stackName"], parameters=given,
    )  # fmt: skip


def create(aws, given, *, region="eu-west-3", stack="keyhaven-aws", **template):
    """Create a stack and return the role that came of it, as IAM has it, with its inline policy."""
    cloud = aws.client("cloudformation", region)
    cloud.create_stack(
        StackName=stack,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        **template or {"TemplateBody": cloudformation.text()},
    )
    described = cloud.describe_stacks(StackName=stack)["Stacks"][0]
    assert described["StackStatus"] == "CREATE_COMPLETE"
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    iam = aws.client("iam", region)
    name = outputs["RoleARN"].rpartition("/")[2]
    role = iam.get_role(RoleName=name)["Role"]
    (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    return SimpleNamespace(arn=outputs["RoleARN"], role=role, policy=document)


REGIONS = ("eu-west-3", "us-east-1", "cn-north-1", "us-gov-west-1")


def test_the_linter_has_nothing_to_say(project):
    from cfnlint.api import lint_file
    from cfnlint.config import ManualArgs

    file = project / "secrets" / "accesses" / "setup" / "role.yaml"

    # Informational rules as well.
    assert lint_file(file, config=ManualArgs(regions=list(REGIONS), include_checks=["I"])) == []


def test_the_linter_would_say_something(tmp_path):
    from cfnlint.api import lint_file
    from cfnlint.config import ManualArgs

    file = tmp_path / "wrong.yaml"
    file.write_text(cloudformation.text().replace("!GetAtt Role.Arn", "!GetAtt Roll.Arn"))

    assert lint_file(file, config=ManualArgs(regions=["eu-west-3"]))


def test_the_link_leads_to_a_role_that_the_cluster_can_use(aws, bucket, name):
    """As a person goes: publish, click, create, copy from the outputs."""
    publish(bucket=bucket, create_bucket=True)
    row = cloudformation.published("eu-west-3")
    given = parameters(role_name=name, prefix="a/b+c=d")
    url = cloudformation.quick_create_url(
        template_url=row.url, region="eu-west-3", stack_name=name, parameters=given
    )

    link = taken_apart(url)
    made = create(aws, link.parameters, region=link.region, stack=link.stack, TemplateURL=link.template)

    assert link.host == "eu-west-3.console.aws.amazon.com"
    assert (link.page, link.region) == ("/stacks/quickcreate", "eu-west-3")
    assert (link.template, link.parameters) == (row.url, given)
    assert made.arn == f"arn:aws:iam::{ACCOUNT}:role/{name}"


def test_every_value_of_the_link_is_encoded():
    url = cloudformation.quick_create_url(
        template_url="https://b.s3.eu-west-3.amazonaws.com/a&b#c", region="eu-west-3", stack_name="s", parameters={"X": "a&param_Y=#?/ é"}
    )  # fmt: skip

    query = url.partition("?templateURL=")[2]

    assert not set(query) & set("#/?: +")
    assert query.count("&") == 2
    assert unquote(query.split("&")[2]) == "param_X=a&param_Y=#?/ é"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "us-east-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_the_link_goes_to_the_console_of_the_partition(region, host):
    url = cloudformation.quick_create_url(
        template_url="https://x", region=region, stack_name="s", parameters={}
    )

    assert url.startswith(f"https://{host}/cloudformation/home?region={region}#/stacks/quickcreate?")


@pytest.mark.parametrize("prefix", ["", "staging", "/prod/payments/"])
@pytest.mark.parametrize("provider", [SECRETS_MANAGER, PARAMETER_STORE])
def test_the_stack_has_the_policy_that_the_generator_gives(aws, name, provider, prefix):
    given = parameters(provider=provider, prefix=prefix, role_name=name)

    made = create(aws, given, stack=name, region="us-east-1")

    place = Place(ACCOUNT, "us-east-1")
    assert made.policy == policies.document(provider, place=place, prefixes=[prefix] if prefix else [])


@pytest.mark.parametrize("issuer", [ISSUER, "https://oic.example.com/tenant/id/"])
def test_the_role_trusts_that_issuer_and_that_serviceaccount_alone(aws, name, issuer):
    given = parameters(issuer=issuer, namespace="eso", service_account="aws-9", role_name=name)

    made = create(aws, given, stack=name)

    arn = policies.provider_arn(Place(ACCOUNT, "eu-west-3"), issuer)
    wanted = policies.trust(arn, issuer, "system:serviceaccount:eso:aws-9")
    assert made.role["AssumeRolePolicyDocument"] == wanted
    assert made.role["Tags"] == [{"Key": "managed-by", "Value": "keyhaven"}]


def test_no_arn_is_of_one_partition_only():
    """The stand-in has one partition; AWS China and GovCloud have others."""
    assert set(re.findall(r"arn:([^:]+(?:::[^:}]+})?)", cloudformation.text())) == {"${AWS::Partition}"}


@pytest.mark.parametrize("create_provider", [True, False])
def test_the_provider_is_made_only_when_asked_for(aws, name, create_provider):
    issuer = f"https://oidc.example.com/{name}"
    given = parameters(issuer=issuer, role_name=name, create_provider=create_provider)

    made = create(aws, given, stack=name)

    iam = aws.client("iam")
    arn = policies.provider_arn(Place(ACCOUNT, "eu-west-3"), issuer)
    known = [entry["Arn"] for entry in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
    (statement,) = made.role["AssumeRolePolicyDocument"]["Statement"]
    assert (arn in known) is create_provider
    assert statement["Principal"] == {"Federated": arn}
    if create_provider:
        provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        assert provider["ClientIDList"] == ["sts.amazonaws.com"]
        assert provider["Tags"] == [{"Key": "managed-by", "Value": "keyhaven"}]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("OIDCProviderURL", "http://oidc.example/id"),
        ("OIDCProviderURL", "https://oidc.example:8443/id"),
        ("OIDCProviderURL", 'https://oidc.example/"},"Principal":"*'),
        ("Namespace", 'a","x":"'),
        ("ServiceAccount", "*"),
        ("ServiceAccount", ""),
        ("NamePrefix", "prod*"),
        ("NamePrefix", "${AWS::AccountId}"),
        ("RoleName", "a/b"),
    ],
)
def test_a_parameter_that_would_change_the_policy_is_refused_by_the_template(template, name, wrong):
    pattern = re.compile(template["Parameters"][name]["AllowedPattern"])

    assert not pattern.fullmatch(wrong)
    assert pattern.fullmatch(parameters(prefix="/prod/")[name])


def test_all_parameters_are_given_and_known(template):
    assert set(parameters()) == set(template["Parameters"])
    assert template["Parameters"]["RoleName"]["Default"] == cloudformation.ROLE_NAME
    assert template["Parameters"]["Service"]["AllowedValues"] == list(cloudformation.SERVICES.values())


def test_the_command_survives_a_shell(tmp_path):
    """A stand-in for the AWS CLI writes down what it is called with."""
    stub = tmp_path / "aws"
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stub.chmod(0o755)
    given = parameters(prefix="it's; $(touch hacked)")
    command = cloudformation.deploy_command(region="eu-west-3", stack_name="keyhaven-aws", parameters=given)

    ran = subprocess.run(
        ["bash", "-euc", command], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    words = ran.stdout.splitlines()
    assert words[:2] == ["cloudformation", "deploy"]
    assert words[words.index("--template-file") + 1] == "keyhaven-role.yaml"
    assert words[words.index("--capabilities") + 1] == "CAPABILITY_NAMED_IAM"
    assert words[words.index("--parameter-overrides") + 1 :] == [
        f"{key}={value}" for key, value in given.items()
    ]
    assert list(tmp_path.iterdir()) == [stub]


def test_publishing_says_where_and_never_changes_an_address(aws, bucket):
    url = publish(bucket=bucket, create_bucket=True)
    again = publish(bucket=bucket)

    row = PublishedTemplate.objects.get(digest=cloudformation.digest())
    short = cloudformation.digest()[:12]
    body = aws.client("s3").get_object(Bucket=bucket, Key=urlsplit(url).path[1:])["Body"].read()
    assert url == again == row.url
    assert url == f"https://{bucket}.s3.eu-west-3.amazonaws.com/keyhaven/keyhaven-role-{short}.yaml"
    assert cloudformation.is_current(row)
    assert body.decode() == cloudformation.text()


def test_an_older_template_is_not_current_and_another_partition_has_its_own():
    PublishedTemplate.objects.create(url="https://x", digest="0" * 64, region="eu-west-3")
    china = PublishedTemplate.objects.create(
        url="https://y", digest=cloudformation.digest(), region="cn-north-1"
    )

    assert not cloudformation.is_current(cloudformation.published("us-east-1"))
    assert cloudformation.published("cn-northwest-1") == china
    assert cloudformation.published("us-gov-west-1") is None


def test_a_public_template_is_that_object_alone_and_other_statements_stay(aws, bucket):
    publish(bucket=bucket, create_bucket=True)
    s3 = aws.client("s3")
    theirs = {
        "Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}",
    }  # fmt: skip
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [theirs]}))

    publish(bucket=bucket, public=True, key="t/role.yaml")
    publish(bucket=bucket, public=True, key="t/role.yaml")

    kept, ours, console = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert kept == theirs
    assert ours["Resource"] == f"arn:aws:s3:::{bucket}/t/role-{cloudformation.digest()[:12]}.yaml"
    assert (
        console["Resource"]
        == f"arn:aws:s3:::{bucket}/t/keyhaven-console-role-{stacks.CONSOLE.digest[:12]}.yaml"
    )
    for one in (ours, console):
        assert (one["Principal"], one["Action"]) == ("*", "s3:GetObject")


def test_only_a_new_bucket_is_opened_for_public_policies(aws, bucket):
    s3 = aws.client("s3")
    place = {"LocationConstraint": "eu-west-3"}
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    closed = dict.fromkeys(names, True)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=closed)

    publish(bucket=bucket, create_bucket=True)
    publish(bucket=f"{bucket}-new", create_bucket=True, public=True)

    def blocks(name):
        return s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]

    assert blocks(bucket) == closed
    assert blocks(f"{bucket}-new") == closed | {"BlockPublicPolicy": False, "RestrictPublicBuckets": False}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "There is no bucket acme-templates. Add --create-bucket"),
        ({"bucket": "with.dots"}, "with.dots is no bucket for this"),
        ({"key": "../x"}, "../x is no path"),
        ({"key": "a b.yaml"}, "a b.yaml is no path"),
    ],
)
def test_what_cannot_be_published_is_said(aws, options, said):
    with pytest.raises(CommandError, match=re.escape(said)):
        publish(**options)
    assert not PublishedTemplate.objects.exists()


def test_a_bucket_of_another_region_is_named_with_its_own(aws, bucket):
    aws.client("s3", "us-east-1").create_bucket(Bucket=bucket)

    with pytest.raises(CommandError, match=f"The bucket {bucket} is in us-east-1, not in eu-west-3"):
        publish(bucket=bucket)

    assert not PublishedTemplate.objects.exists()


def test_without_credentials_it_says_so(aws, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    with pytest.raises(CommandError, match="There are no AWS credentials"):
        publish()


def test_who_may_not_is_told_what_it_takes(aws_endpoint, sandbox_cloud, monkeypatch):
    key, secret = sandbox_cloud.limited
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)

    with pytest.raises(
        CommandError, match=r"AWS does not allow put object\. The credentials need s3:PutObject"
    ):
        publish()


def test_nobody_answers(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")

    with pytest.raises(CommandError, match="S3 does not answer in eu-west-3"):
        publish()
