"""What moto lacks and the console needs, taught to it in this process: real web identity, policies that name
resources, policy simulation, pages of parameters, and AWS::IAM::OIDCProvider in CloudFormation.
"""

import json
import re
from typing import Any

from moto.cloudformation import responses as cloudformation
from moto.cloudformation.utils import get_stack_from_s3_url
from moto.core.common_models import CloudFormationModel
from moto.core.responses import ActionResult, EmptyResult
from moto.eks.responses import EKSResponse
from moto.iam import access_control
from moto.iam import models as iam
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.exceptions import IAMException, NotFoundException
from moto.iam.responses import IamResponse
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.ssm.responses import SimpleSystemManagerResponse
from moto.sts.responses import TokenResponse
from moto.utilities.utils import get_partition

from sandbox import aws_eks, aws_identity, aws_moto_keys
from sandbox.aws_moto_secrets import Secrets


def teach() -> None:
    """Change moto's classes; the ones below say to what."""
    for ours, theirs in (
        (_Tokens, TokenResponse), (_Iam, IamResponse), (Secrets, SecretsManagerResponse),
        (_Parameters, SimpleSystemManagerResponse), (_Role, iam.Role), (_Stacks, cloudformation.CloudFormationResponse),
        (_Signed, access_control.IAMRequestBase), (_Statement, access_control.IAMPolicyStatement),
        (aws_eks.Responses, EKSResponse),
    ):  # fmt: skip
        for name, value in vars(ours).items():
            if callable(value) and not name.startswith("__"):
                setattr(theirs, name, value)
    aws_eks.teach()
    changed: Any = access_control
    changed.AssumedRoleAccessKey, changed.IAMUserAccessKey = aws_moto_keys.TemporaryKey, aws_moto_keys.UserKey


_assume_role = TokenResponse.assume_role
_assume_role_with_web_identity = TokenResponse.assume_role_with_web_identity
_authorize = IamResponse._authenticate_and_authorize_normal_action
_create_aws_request = access_control.IAMRequestBase._create_aws_request
_role_put_policy = iam.Role.put_policy
_iam_resource = IamResponse._determine_resource


class _Signed(access_control.IAMRequestBase):
    def _create_aws_request(self) -> Any:
        # Of a request without a body, moto would sign its headers in the body's place.
        kept = self._data
        self._data = kept if self._method in ("POST", "PUT") else {}
        try:
            return _create_aws_request(self)
        finally:
            self._data = kept

    def _check_role_trust_relationship(self, role_arn: str) -> bool:
        # Who is trusted is judged by ours, also for roles of other accounts.
        return True


class _Statement(access_control.IAMPolicyStatement):
    @staticmethod
    def _match(pattern: str, string: str) -> re.Match[str] | None:
        # moto takes the rest of a pattern for a regular expression, and a question mark in it for an error.
        wild = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
        return re.fullmatch(wild, string)


class _Tokens(TokenResponse):
    def _authenticate_and_authorize_normal_action(self, resource: str = "*") -> None:
        action = self._get_action()
        # The token is the proof; there is no signature.
        if action != "AssumeRoleWithWebIdentity":
            _authorize(self, self._get_param("RoleArn") if action == "AssumeRole" else resource)

    def assume_role(self) -> ActionResult:
        caller = access_control.create_access_key(
            self.current_account, self.partition, self.get_access_key(), dict(self.headers)
        )
        aws_identity.check_caller(
            caller.arn,
            self._get_param("RoleArn"),
            self._get_param("ExternalId"),
            self._get_int_param("DurationSeconds", 3600),
        )
        return _assume_role(self)

    def assume_role_with_web_identity(self) -> ActionResult:
        aws_identity.check(self._get_param("RoleArn"), self._get_param("WebIdentityToken"))
        return _assume_role_with_web_identity(self)


# -- which resource a request is about ---------------------------------------------------------------
class _Parameters(SimpleSystemManagerResponse):
    def _authenticate_and_authorize_normal_action(self, resource: str = "*") -> None:
        one = self._get_param("Name") or self._get_param("Path")
        here = f"arn:{get_partition(self.region)}:ssm:{self.region}:{self.current_account}"
        for name in self._get_param("Names") or [one]:
            wanted = str(name or "").partition(":")[0].lstrip("/")
            arn = name if str(name).startswith("arn:") else f"{here}:parameter/{wanted}"
            _authorize(self, arn if name else "*")

    def describe_parameters(self) -> ActionResult:
        size = int(self._get_param("MaxResults") or 10)
        if size > 50:
            message = (
                f"1 validation error detected: Value '{size}' at 'maxResults' failed to satisfy constraint"
            )
            raise IAMException(
                "ValidationException", f"{message}: Member must have value less than or equal to 50"
            )
        found = self.ssm_backend.describe_parameters(
            self._get_param("Filters"), self._get_param("ParameterFilters")
        )
        start = int(self._get_param("NextToken") or 0)
        answer: dict[str, Any] = {
            "Parameters": [entry.describe_response_object(False) for entry in found[start : start + size]]
        }
        if start + size < len(found):
            answer["NextToken"] = str(start + size)
        return ActionResult(answer)


class _Iam(IamResponse):
    def _determine_resource(self) -> str:
        here = f"arn:{self.partition}:iam::{self.current_account}"
        if self._get_action() == "CreateOpenIDConnectProvider":
            return f"{here}:oidc-provider/{self._get_param('Url').removeprefix('https://')}"
        if "AccessKey" in self._get_action():
            return self._user_of_key(here)
        role = self._get_param("RoleName")
        if role and role not in [known.name for known in self.backend.get_roles()]:
            return f"{here}:role/{role}"
        named = self._get_param("OpenIDConnectProviderArn") or self._get_param("PolicySourceArn")
        return str(named) if named else _iam_resource(self)

    def _user_of_key(self, here: str) -> str:
        """Return whose access keys a request is about: the user that it names, the key's, or who asks."""
        asked = self._get_param("AccessKeyId") if self._get_action() == "GetAccessKeyLastUsed" else ""
        name = self._get_param("UserName")
        for key in self.backend.get_all_access_keys_for_all_users():
            if not name and key.access_key_id == (asked or self.get_access_key()):
                name = key.user_name
        return f"{here}:user/{name}" if name else "*"

    # -- what moto does not have -----------------------------------------------------------------------
    def add_client_id_to_open_id_connect_provider(self) -> ActionResult:
        provider = self.backend.get_open_id_connect_provider(self._get_param("OpenIDConnectProviderArn"))
        audience = self._get_param("ClientID")
        if audience not in provider.client_id_list:
            provider.client_id_list = [*provider.client_id_list, audience]
        return EmptyResult()

    def simulate_principal_policy(self) -> ActionResult:
        policies = _policies(self._get_param("PolicySourceArn"))
        results = [
            _simulated(policies, action, resource)
            for action in self._get_param("ActionNames") or []
            for resource in self._get_param("ResourceArns") or ["*"]
        ]
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _policies(arn: str) -> list[IAMPolicy]:
    """Return the policies of a user or a role, with moto's own way of collecting them."""
    kind, _, name = arn.partition(":iam::")[2].partition(":")[2].partition("/")
    if kind not in ("user", "role"):
        message = f"Invalid Entity Arn: {arn} does not clearly define entity type and name."
        raise IAMException("InvalidInput", message)
    partition, account = arn.split(":")[1], arn.split(":")[4]
    backend = iam.iam_backends[account][partition]
    name = name.rpartition("/")[2]
    known = backend.users if kind == "user" else {role.name: role for role in backend.get_roles()}
    if name not in known:
        raise NotFoundException(f"The {kind} with name {name} cannot be found.")
    holder: Any
    if kind == "user":
        holder = object.__new__(access_control.IAMUserAccessKey)
        holder._owner_user_name = name
    else:
        holder = object.__new__(access_control.AssumedRoleAccessKey)
        holder._owner_role_name = name
    holder.account_id, holder.partition = account, partition
    return [IAMPolicy(policy) for policy in holder.collect_policies()]


def _simulated(policies: list[IAMPolicy], action: str, resource: str) -> dict[str, Any]:
    found = {policy.is_action_permitted(action, resource) for policy in policies}
    decision = "implicitDeny"
    if PermissionResult.PERMITTED in found:
        decision = "allowed"
    if PermissionResult.DENIED in found:
        decision = "explicitDeny"
    return {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": decision,
        "MatchedStatements": [],
        "MissingContextValues": [],
    }


# -- CloudFormation ----------------------------------------------------------------------------------
class _Role(iam.Role):
    def put_policy(self, policy_name: str, policy_json: Any) -> None:
        # CloudFormation gives an object, and everything that reads it wants text.
        text = (
            policy_json
            if isinstance(policy_json, str)
            else json.dumps(policy_json, default=iam._serialize_version_datetime)
        )
        _role_put_policy(self, policy_name, text)


class _Stacks(cloudformation.CloudFormationResponse):
    def _get_stack_from_s3_url(self, template_url: str) -> str:
        # moto knows its own buckets by path at `localhost` alone.
        return get_stack_from_s3_url(
            template_url.replace("://127.0.0.1", "://localhost"),
            account_id=self.current_account,
            partition=self.partition,
        )


class OIDCProvider(CloudFormationModel):
    """AWS::IAM::OIDCProvider; its reference and its `Arn` are the provider's ARN."""

    def __init__(self, arn: str) -> None:
        self.arn = arn

    @property
    def physical_resource_id(self) -> str:
        return self.arn

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::IAM::OIDCProvider"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self.arn

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> "OIDCProvider":
        wanted = cloudformation_json["Properties"]
        made = iam.iam_backends[account_id][get_partition(region_name)].create_open_id_connect_provider(
            wanted["Url"],
            wanted.get("ThumbprintList", []),
            wanted.get("ClientIdList", []),
            wanted.get("Tags", []),
        )
        return cls(made.arn)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: dict[str, Any],
        account_id: str, region_name: str,
    ) -> Any:  # fmt: skip
        provider = iam.iam_backends[account_id][get_partition(region_name)].get_open_id_connect_provider(
            original_resource.arn
        )
        provider.client_id_list = cloudformation_json["Properties"].get("ClientIdList", [])
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        iam.iam_backends[account_id][get_partition(region_name)].delete_open_id_connect_provider(
            resource_name
        )
