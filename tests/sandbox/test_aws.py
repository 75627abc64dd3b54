"""The AWS stand-in beyond signing in: parameters, policy simulation, the console's own rights, CloudFormation."""

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import world
from sandbox.kubernetes import Cluster
from tests.sandbox.identities import SUBJECT, assume, client, service_account, token

pytestmark = pytest.mark.sandbox

USER = f"arn:aws:iam::{world.ACCOUNT}:user"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Federated": "x"}, "Action": "sts:AssumeRoleWithWebIdentity"}
        ],
    }
)
READ = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}],
    }
)
TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Issuer: {Type: String}
  RoleName: {Type: String}
  CreateProvider: {Type: String, Default: "no"}
Conditions:
  Create: !Equals [!Ref CreateProvider, "yes"]
Resources:
  Provider:
    Type: AWS::IAM::OIDCProvider
    Condition: Create
    Properties:
      Url: !Sub "https://${Issuer}"
      ClientIdList: [sts.amazonaws.com]
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Ref RoleName
      AssumeRolePolicyDocument: !Sub |
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
          "Principal": {"Federated": "arn:${AWS::Partition}:iam::${AWS::AccountId}:oidc-provider/${Issuer}"},
          "Condition": {"StringEquals": {"${Issuer}:sub": "system:serviceaccount:default:eso"}}}]}
      Policies:
        - PolicyName: read
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{Effect: Allow, Action: "secretsmanager:ListSecrets", Resource: "*"}]
Outputs:
  RoleARN: {Value: !GetAtt Role.Arn}
  ProviderARN: {Condition: Create, Value: !Ref Provider}
"""


def denied(act: Any, *arguments: Any, **keywords: Any) -> str:
    with pytest.raises(ClientError) as refused:
        act(*arguments, **keywords)
    return str(refused.value.response["Error"]["Code"])


class TestParameters:
    @pytest.mark.parametrize("region", world.REGIONS)
    def test_all_are_listed_by_pages_as_long_as_asked_for(self, sandbox_cloud, region):
        manager = sandbox_cloud.client("ssm", "reader", region)

        pages = list(manager.get_paginator("describe_parameters").paginate(PaginationConfig={"PageSize": 50}))

        found = [entry for page in pages for entry in page["Parameters"]]
        assert {entry["Name"] for entry in found} >= {f"/{name}" for name in world.names(300)}
        assert {entry["Type"] for entry in found} == {"String", "StringList", "SecureString"}
        assert len(pages[0]["Parameters"]) == 50

    def test_a_prefix_narrows_the_list(self, sandbox_cloud):
        manager = sandbox_cloud.client("ssm", "reader")
        wanted = [{"Key": "Name", "Option": "BeginsWith", "Values": ["/prod/shop/"]}]

        found = manager.describe_parameters(ParameterFilters=wanted, MaxResults=50)["Parameters"]

        assert found
        assert all(entry["Name"].startswith("/prod/shop/") for entry in found)

    def test_a_page_has_fifty_at_most(self, sandbox_cloud):
        manager = sandbox_cloud.client("ssm", "reader")

        assert denied(manager.describe_parameters, MaxResults=51) == "ValidationException"

    def test_versions(self, sandbox_cloud):
        sandbox_cloud.put_parameter("/test/versions", "one")
        sandbox_cloud.put_parameter("/test/versions", "two")

        assert sandbox_cloud.parameter_value("/test/versions") == "two"
        assert sandbox_cloud.parameter_value("/test/versions:1") == "one"

    def test_reading_does_not_mean_listing(self, sandbox_cloud):
        manager = sandbox_cloud.client("ssm", "limited")

        assert manager.get_parameter(Name="/prod/db-password", WithDecryption=True)["Parameter"]["Value"]
        assert denied(manager.describe_parameters) == "AccessDeniedException"


class TestSimulation:
    def decisions(self, cloud: Any, arn: str, *actions: str, **more: Any) -> list[str]:
        answer = cloud.client("iam", "console").simulate_principal_policy(
            PolicySourceArn=arn, ActionNames=list(actions), **more
        )
        return [result["EvalDecision"] for result in answer["EvaluationResults"]]

    def test_a_user(self, sandbox_cloud):
        actions = ("secretsmanager:GetSecretValue", "secretsmanager:ListSecrets")

        assert self.decisions(sandbox_cloud, f"{USER}/limited", *actions) == ["allowed", "implicitDeny"]
        assert self.decisions(sandbox_cloud, f"{USER}/reader", *actions) == ["allowed", "allowed"]

    def test_a_role_by_resource(self, sandbox_cloud):
        here = f"arn:aws:ssm:eu-west-3:{world.ACCOUNT}:parameter"
        arn = sandbox_cloud.role(
            "simulated",
            "https://oidc.example.com/1",
            SUBJECT,
            ["ssm:GetParameter"],
            resource=f"{here}/prod/*",
        )

        found = self.decisions(
            sandbox_cloud, arn, "ssm:GetParameter", ResourceArns=[f"{here}/prod/x", f"{here}/dev/x"]
        )

        assert found == ["allowed", "implicitDeny"]

    def test_a_denial_counts_more(self, sandbox_cloud):
        iam = sandbox_cloud.client("iam", "administrator")
        arn = iam.create_user(UserName="denied")["User"]["Arn"]
        for name, effect in (("a", "Allow"), ("b", "Deny")):
            statement = {"Effect": effect, "Action": "ssm:*", "Resource": "*"}
            document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            iam.put_user_policy(UserName="denied", PolicyName=name, PolicyDocument=document)

        assert self.decisions(sandbox_cloud, arn, "ssm:GetParameter") == ["explicitDeny"]

    @pytest.mark.parametrize(
        ("arn", "code"),
        [
            (f"{USER}/nobody", "NoSuchEntity"),
            (f"arn:aws:iam::{world.ACCOUNT}:role/nobody", "NoSuchEntity"),
            (f"arn:aws:sts::{world.ACCOUNT}:assumed-role/a/b", "InvalidInput"),
        ],
    )
    def test_who_is_not_there(self, sandbox_cloud, arn, code):
        iam = sandbox_cloud.client("iam", "administrator")

        assert denied(iam.simulate_principal_policy, PolicySourceArn=arn, ActionNames=["a:b"]) == code

    def test_it_needs_the_permission(self, sandbox_cloud):
        iam = sandbox_cloud.client("iam", "reader")

        found = denied(iam.simulate_principal_policy, PolicySourceArn=f"{USER}/reader", ActionNames=["a:b"])

        assert found == "AccessDenied"


class TestConsoleCredential:
    def test_it_makes_and_removes_its_own_roles(self, sandbox_cloud):
        iam = sandbox_cloud.client("iam", "console")
        role = {"RoleName": "keyhaven-test"}
        iam.create_role(**role, AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "managed-by", "Value": "x"}])

        iam.put_role_policy(**role, PolicyName="p", PolicyDocument=READ)
        iam.update_assume_role_policy(**role, PolicyDocument=TRUST)
        names = iam.list_role_policies(**role)["PolicyNames"]
        iam.delete_role_policy(**role, PolicyName="p")
        iam.delete_role(**role)

        assert names == ["p"]
        assert denied(iam.get_role, **role) == "NoSuchEntity"

    def test_it_leaves_other_roles_alone(self, sandbox_cloud):
        iam = sandbox_cloud.client("iam", "console")

        assert denied(iam.create_role, RoleName="other", AssumeRolePolicyDocument=TRUST) == "AccessDenied"
        assert denied(iam.get_role, RoleName="other") == "AccessDenied"

    def test_it_makes_providers_and_adds_audiences(self, sandbox_cloud):
        iam = sandbox_cloud.client("iam", "console")
        made = iam.create_open_id_connect_provider(Url="https://oidc.example.com/2", ClientIDList=["x"])
        named = {"OpenIDConnectProviderArn": made["OpenIDConnectProviderArn"]}

        iam.add_client_id_to_open_id_connect_provider(**named, ClientID="sts.amazonaws.com")

        found = iam.get_open_id_connect_provider(**named)
        administrator = sandbox_cloud.client("iam", "administrator")
        listed = administrator.list_open_id_connect_providers()["OpenIDConnectProviderList"]
        iam.delete_open_id_connect_provider(**named)
        assert found["ClientIDList"] == ["x", "sts.amazonaws.com"]
        assert made["OpenIDConnectProviderArn"] in [entry["Arn"] for entry in listed]

    def test_it_reads_no_secret(self, sandbox_cloud):
        manager = sandbox_cloud.client("secretsmanager", "console")

        assert denied(manager.get_secret_value, SecretId="prod/db-password") == "AccessDeniedException"


def test_wrong_keys_are_named_as_json_services_name_them(sandbox_cloud):
    found = {
        "AccessKeyId": sandbox_cloud.keys["reader"][0],
        "SecretAccessKey": "x" * 40,
        "SessionToken": None,
    }

    assert denied(client(sandbox_cloud.url, "ssm", found).describe_parameters) == "InvalidSignatureException"
    found["AccessKeyId"] = "AKIAZZZZZZZZZZZZZZZZ"
    assert (
        denied(client(sandbox_cloud.url, "ssm", found).describe_parameters) == "UnrecognizedClientException"
    )


@pytest.fixture(scope="class")
def bucket(sandbox_cloud: Any) -> str:
    s3 = sandbox_cloud.client("s3", "administrator")
    s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    s3.put_object(Bucket="templates", Key="keyhaven/role.yaml", Body=TEMPLATE.encode())
    return "templates"


class TestCloudFormation:
    @pytest.mark.parametrize(
        "url",
        [
            "https://{bucket}.s3.eu-west-3.amazonaws.com/keyhaven/role.yaml",
            "https://s3.eu-west-3.amazonaws.com/{bucket}/keyhaven/role.yaml",
            "{endpoint}/{bucket}/keyhaven/role.yaml",
        ],
    )
    @pytest.mark.parametrize("create", ["yes", "no"])
    def test_a_stack_from_a_bucket_makes_a_role_that_works(self, sandbox_cloud, bucket, url, create):
        stacks = sandbox_cloud.client("cloudformation", "administrator")
        name = f"stack-{uuid.uuid4().hex[:8]}"
        with Cluster(kind="eks") as cluster:
            cluster.load([service_account()])
            sandbox_cloud.trust(cluster)
            if create == "no":
                sandbox_cloud.role(f"{name}-other", cluster.issuer, SUBJECT, ["ssm:GetParameter"])
            parameters = {
                "Issuer": cluster.issuer.removeprefix("https://"), "RoleName": name, "CreateProvider": create,
            }  # fmt: skip

            stacks.create_stack(
                StackName=name,
                TemplateURL=url.format(bucket=bucket, endpoint=sandbox_cloud.url),
                Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
            stack = stacks.describe_stacks(StackName=name)["Stacks"][0]
            outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in stack["Outputs"]}
            found = assume(sandbox_cloud.url, outputs["RoleARN"], token(cluster))

        assert stack["StackStatus"] == "CREATE_COMPLETE"
        assert ("ProviderARN" in outputs) == (create == "yes")
        assert client(sandbox_cloud.url, "secretsmanager", found).list_secrets()["SecretList"]

    def test_deleting_the_stack_removes_both(self, sandbox_cloud, bucket):
        stacks, iam = (
            sandbox_cloud.client(service, "administrator") for service in ("cloudformation", "iam")
        )
        parameters = {"Issuer": "oidc.example.com/3", "RoleName": "gone", "CreateProvider": "yes"}
        stacks.create_stack(
            StackName="gone",
            TemplateBody=TEMPLATE,
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        )

        stacks.delete_stack(StackName="gone")

        listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
        assert not [entry for entry in listed if entry["Arn"].endswith("oidc.example.com/3")]
        assert denied(iam.get_role, RoleName="gone") == "NoSuchEntity"
