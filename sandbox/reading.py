"""How the sandbox's operator reads a value: with the keys of the store, from the AWS stand-in or a `fake` store."""

import base64
import json
from typing import Any

from sandbox.kubernetes import Cluster

type Manifest = dict[str, Any]


class Failed(Exception):
    """A sync failed; the text is what the operator writes into its event."""


class Reader:
    """Reads values as one store's identity."""

    def __init__(self, cluster: Cluster, aws_url: str) -> None:
        self.cluster, self.aws_url = cluster, aws_url

    def keys(self, manifest: Manifest) -> tuple[str, str, str | None]:
        """Return the AWS keys that a store refers to; a `fake` store has none."""
        aws = manifest["spec"]["provider"].get("aws")
        if aws is None:
            return "", "", None
        reference = (aws.get("auth") or {}).get("secretRef") or {}
        found = [
            self._selected(reference.get(name), manifest["metadata"].get("namespace", ""))
            for name in ("accessKeyIDSecretRef", "secretAccessKeySecretRef")
        ]
        token = reference.get("sessionTokenSecretRef")
        return found[0], found[1], self._selected(token, "") if token else None

    def _selected(self, selector: Manifest | None, namespace: str) -> str:
        selector = selector or {}
        namespace, name = selector.get("namespace", namespace), selector.get("name", "")
        secret = self.cluster.get("Secret", name, namespace)
        if secret is None:
            raise Failed(
                f'cannot get Kubernetes secret "{name}" from namespace "{namespace}": secrets "{name}" not found'
            )
        data = secret.get("data") or {}
        key = selector.get("key", "")
        if key not in data:
            raise Failed(f'cannot find secret data for key: "{key}"')
        return base64.b64decode(data[key]).decode()

    def value(self, found: Manifest, reference: Manifest) -> str:
        provider = found["spec"]["provider"]
        text = self._fake(provider["fake"], reference) if "fake" in provider else self._aws(found, reference)
        wanted = reference.get("property")
        return _property(text, wanted, reference["key"]) if wanted else text

    @staticmethod
    def _fake(provider: Manifest, reference: Manifest) -> str:
        for entry in provider["data"]:
            if entry["key"] == reference["key"] and entry.get("version", "") == reference.get("version", ""):
                return str(entry["value"])
        raise Failed("Secret does not exist")

    def _aws(self, found: Manifest, reference: Manifest) -> str:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        key_id, secret_key, token = self.keys(found)
        wanted = {"SecretId": reference["key"]}
        version = reference.get("version", "")
        if version.startswith("uuid/"):
            wanted["VersionId"] = version.removeprefix("uuid/")
        elif version:
            wanted["VersionStage"] = version
        client = boto3.client(
            "secretsmanager",
            endpoint_url=self.aws_url,
            region_name=found["spec"]["provider"]["aws"]["region"],
            aws_access_key_id=key_id,
            aws_secret_access_key=secret_key,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=5),
        )
        try:
            return str(client.get_secret_value(**wanted)["SecretString"])
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ResourceNotFoundException":
                raise Failed("Secret does not exist") from None
            raise Failed(
                f"operation error Secrets Manager: GetSecretValue, https response error StatusCode: 400, {code}"
            ) from None
        except BotoCoreError as error:
            raise Failed(f"operation error Secrets Manager: GetSecretValue, {type(error).__name__}") from None


def _property(text: str, wanted: str, key: str) -> str:
    """Return a field of a JSON value: a literal key first, then a dotted path."""
    try:
        value: Any = json.loads(text)
        if isinstance(value, dict) and wanted in value:
            value = value[wanted]
        else:
            for part in wanted.split("."):
                value = value[int(part)] if isinstance(value, list) else value[part]
    except (ValueError, KeyError, IndexError, TypeError):
        raise Failed(f"key {wanted} does not exist in secret {key}") from None
    if isinstance(value, str):
        return value
    return json.dumps(value)
