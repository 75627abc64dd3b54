"""A cluster with one ServiceAccount, and ways in to the AWS stand-in as it."""

from typing import Any

from sandbox.kubernetes import Cluster

NAMESPACE, NAME = "default", "eso"
SUBJECT = f"system:serviceaccount:{NAMESPACE}:{NAME}"
AUDIENCE = "sts.amazonaws.com"


def service_account(name: str = NAME, namespace: str = NAMESPACE, **annotations: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def unsigned_sts(url: str) -> Any:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    return boto3.client("sts", endpoint_url=url, region_name="eu-west-3", config=config)


def assume(url: str, role_arn: str, token: str) -> dict[str, str]:
    answer = unsigned_sts(url).assume_role_with_web_identity(
        RoleArn=role_arn, RoleSessionName="test", WebIdentityToken=token
    )
    return dict(answer["Credentials"])


def client(url: str, service: str, found: dict[str, str], region: str = "eu-west-3") -> Any:
    import boto3

    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"],
        aws_session_token=found["SessionToken"],
    )


def token(cluster: Cluster, audience: str = AUDIENCE) -> str:
    return cluster.service_account_token(NAMESPACE, NAME, audience)
