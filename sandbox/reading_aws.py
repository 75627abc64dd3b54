"""AWS for the sandbox's operator: a ServiceAccount's role, static keys, or what its own Pod finds."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sandbox import reading_values
from sandbox.kubernetes import Cluster
from sandbox.reading import Kept, Manifest, secret_value
from sandbox.reading_values import Failed, Missing

_ROLE, _AUDIENCE = "eks.amazonaws.com/role-arn", "eks.amazonaws.com/audience"
# The operator keeps credentials for an hour; tests do not wait that long for a role that was taken away.
_KEPT = 60.0
_MISSING = ("ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound")
_NO_ROLE = (
    "get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found, "
    "operation error ec2imds: GetMetadata, http response error StatusCode: 404, request to EC2 IMDS failed"
)


class Keys(NamedTuple):
    """What signs a request."""

    key_id: str
    secret: str
    token: str | None = None


class Aws:
    """AWS as one cluster's operator reaches it."""

    def __init__(self, cluster: Cluster, url: str, kept: Kept) -> None:
        self.cluster, self.url, self.kept = cluster, url, kept

    def check(self, manifest: Manifest) -> None:
        """Look for a store's keys; what the operator's own Pod would find is not looked for.

        :raises Failed: there are none
        """
        auth = manifest["spec"]["provider"]["aws"].get("auth") or {}
        if auth:
            self._keys(manifest)

    def _keys(self, manifest: Manifest) -> Keys | None:
        """Return what signs for a store: its base identity, or the role that this one assumes."""
        base, role = self._base(manifest), manifest["spec"]["provider"]["aws"].get("role")
        if not role or base is None:
            return base
        region = manifest["spec"]["provider"]["aws"]["region"]
        return self.kept.get((base, role, region), _KEPT, lambda: self._assumed(role, base, region))

    def _base(self, manifest: Manifest) -> Keys | None:
        auth = manifest["spec"]["provider"]["aws"].get("auth") or {}
        namespace = manifest["metadata"].get("namespace", "")
        if "jwt" in auth:
            return self._of_role(manifest, auth["jwt"]["serviceAccountRef"], namespace)
        if "secretRef" in auth:
            return self._static(auth["secretRef"], namespace)
        ambient = self.cluster.ambient_aws
        return Keys(*ambient) if ambient else None

    def _static(self, reference: Manifest, namespace: str) -> Keys:
        key_id, secret = (
            secret_value(self.cluster, reference.get(name), namespace)
            for name in ("accessKeyIDSecretRef", "secretAccessKeySecretRef")
        )
        token = reference.get("sessionTokenSecretRef")
        return Keys(key_id, secret, secret_value(self.cluster, token, namespace) if token else None)

    def _of_role(self, manifest: Manifest, reference: Manifest, namespace: str) -> Keys:
        """Return temporary keys of the role that the store's ServiceAccount is annotated with."""
        name, namespace = reference["name"], reference.get("namespace") or namespace
        account = self.cluster.get("ServiceAccount", name, namespace)
        if account is None:
            raise Failed(f'ServiceAccount "{name}" not found')
        annotations = account["metadata"].get("annotations") or {}
        role = annotations.get(_ROLE)
        if not role:
            raise Failed(
                f"an IAM role must be associated with service account {name} (namespace: {namespace})"
            )
        # Those of the store are appended, and do not take the place of the annotation's.
        audience = (annotations.get(_AUDIENCE, "sts.amazonaws.com"), *reference.get("audiences", ()))
        region = manifest["spec"]["provider"]["aws"]["region"]

        def ask() -> Keys:
            wanted = {"audiences": list(audience), "expirationSeconds": 3600}
            token = str(self.cluster.api.token(namespace, name, wanted)["token"])
            return self._assumed_by_token(role, token, region)

        return self.kept.get((account["metadata"]["uid"], role, audience, region), _KEPT, ask)

    def _assumed(self, role: str, base: Keys, region: str) -> Keys:
        from botocore.exceptions import BotoCoreError, ClientError

        what = "operation error STS: AssumeRole"
        try:
            found = self._client("sts", region, base).assume_role(
                RoleArn=role, RoleSessionName="external-secrets-provider-aws"
            )["Credentials"]
        except ClientError as error:
            raise Failed(
                f"{what}, https response error StatusCode: 403, {error.response['Error']['Code']}"
            ) from None
        except BotoCoreError as error:
            raise Failed(f"{what}, {type(error).__name__}") from None
        return Keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def _assumed_by_token(self, role: str, token: str, region: str) -> Keys:
        from botocore.exceptions import BotoCoreError, ClientError

        what = "operation error STS: AssumeRoleWithWebIdentity"
        try:
            found = self._client("sts", region, None).assume_role_with_web_identity(
                RoleArn=role, RoleSessionName="external-secrets-provider-aws", WebIdentityToken=token
            )["Credentials"]
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            said = error.response["Error"]
            raise Failed(
                f"{what}, https response error StatusCode: {status}, RequestID: sandbox, {said['Code']}: {said['Message']}"
            ) from None
        except BotoCoreError as error:
            raise Failed(f"{what}, {type(error).__name__}") from None
        return Keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def value(self, manifest: Manifest, reference: Manifest) -> str:
        """Return the text of a secret or a parameter, with nothing taken out of it.

        :raises Failed: the store's identity may not
        :raises Missing: it is not there
        """
        parameters = manifest["spec"]["provider"]["aws"]["service"] == "ParameterStore"
        what = "SSM: GetParameter" if parameters else "Secrets Manager: GetSecretValue"
        return str(self._asked(manifest, what, _parameter if parameters else _secret, reference))

    def find(self, manifest: Manifest, wanted: Manifest) -> dict[str, str]:
        """Return values by name.

        :raises Failed: the store's identity may not
        """
        if manifest["spec"]["provider"]["aws"]["service"] == "SecretsManager":
            return dict(self._asked(manifest, "Secrets Manager: BatchGetSecretValue", _secrets, wanted))
        if wanted.get("name"):
            return dict(self._asked(manifest, "SSM: GetParametersByPath", _below, wanted))
        return dict(self._asked(manifest, "SSM: DescribeParameters", _tagged, wanted))

    def _asked(
        self, manifest: Manifest, what: str, ask: Callable[[Any, Manifest], Any], wanted: Manifest
    ) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        provider, keys = manifest["spec"]["provider"]["aws"], self._keys(manifest)
        if keys is None:
            raise Failed(f"operation error {what}, {_NO_ROLE}")
        service = "ssm" if provider["service"] == "ParameterStore" else "secretsmanager"
        try:
            return ask(self._client(service, provider["region"], keys), wanted)
        except ClientError as error:
            said = error.response["Error"]
            if said["Code"] in _MISSING or "marked for deletion" in said["Message"]:
                raise Missing from None
            raise Failed(
                f"operation error {what}, https response error StatusCode: 400, {said['Code']}"
            ) from None
        except BotoCoreError as error:
            raise Failed(f"operation error {what}, {type(error).__name__}") from None

    def _client(self, service: str, region: str, keys: Keys | None) -> Any:
        """Return a client; without keys it does not sign, which STS does not need for a token."""
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        make: Any = boto3.client
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=5)
        if keys is None:
            unsigned = config.merge(Config(signature_version=UNSIGNED))
            return make(service, endpoint_url=self.url, region_name=region, config=unsigned)
        return make(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=keys.key_id,
            aws_secret_access_key=keys.secret,
            aws_session_token=keys.token,
            config=config,
        )


def _secret(client: Any, reference: Manifest) -> str:
    wanted = {"SecretId": reference["key"]}
    version = reference.get("version", "")
    if version.startswith("uuid/"):
        wanted["VersionId"] = version.removeprefix("uuid/")
    elif version:
        wanted["VersionStage"] = version
    return str(client.get_secret_value(**wanted)["SecretString"])


def _parameter(client: Any, reference: Manifest) -> str:
    version = reference.get("version", "")
    name = f"{reference['key']}:{version}" if version else reference["key"]
    return str(client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])


def _secrets(client: Any, wanted: Manifest) -> dict[str, str]:
    """Return secrets below a path or with tags, of which AWS knows the beginnings of names and values."""
    filters = [{"Key": "name", "Values": [wanted["path"]]}] if wanted.get("path") else []
    for name, value in (wanted.get("tags") or {}).items() if not wanted.get("name") else ():
        filters += [{"Key": "tag-key", "Values": [name]}, {"Key": "tag-value", "Values": [value]}]
    found: dict[str, str] = {}
    more: Manifest = {}
    while True:
        answer = client.batch_get_secret_value(Filters=filters, **more)
        found |= {one["Name"]: one["SecretString"] for one in answer["SecretValues"]}
        if not answer.get("NextToken"):
            return {name: found[name] for name in reading_values.matching(found, wanted)}
        more = {"NextToken": answer["NextToken"]}


def _below(client: Any, wanted: Manifest) -> dict[str, str]:
    pages = client.get_paginator("get_parameters_by_path").paginate(
        Path=wanted.get("path") or "/", Recursive=True, WithDecryption=True
    )
    found = {one["Name"]: str(one["Value"]) for page in pages for one in page["Parameters"]}
    return {name: found[name] for name in reading_values.matching(found, wanted)}


def _tagged(client: Any, wanted: Manifest) -> dict[str, str]:
    filters = [
        {"Key": f"tag:{name}", "Option": "Equals", "Values": [value]}
        for name, value in (wanted.get("tags") or {}).items()
    ]
    pages = client.get_paginator("describe_parameters").paginate(ParameterFilters=filters)
    names = [one["Name"] for page in pages for one in page["Parameters"]]
    return {name: _parameter(client, {"key": name}) for name in names}
