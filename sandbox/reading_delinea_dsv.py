"""How the sandbox's operator reads from DevOps Secrets Vault: with the client that a `delinea` store names."""

import json
import re
from typing import Any

from sandbox import reading_http
from sandbox.kubernetes import Cluster
from sandbox.reading import Manifest, secret_value
from sandbox.reading_values import Failed, Missing

_DEFAULT = "https://%s.secretsvaultcloud.%s/v1/%s%s"


def check(cluster: Cluster, manifest: Manifest) -> None:
    """Do nothing, as the operator: its check asks nobody.

    :raises Failed: a reference of the store has no namespace
    """
    spec = manifest["spec"]["provider"]["delinea"]
    if not all(spec[one]["secretRef"].get("namespace") for one in ("clientId", "clientSecret")):
        raise Failed("when using a ClusterSecretStore, namespaces must be explicitly set")


def value(cluster: Cluster, manifest: Manifest, reference: Manifest) -> str:
    """Return a secret's JSON.

    :raises Failed: the client may not
    :raises Missing: there is none
    """
    if reference.get("version"):
        raise Failed("specifying a version is not yet supported")
    spec = manifest["spec"]["provider"]["delinea"]
    namespace = manifest["metadata"].get("namespace", "")
    token = _token(cluster, spec, namespace)
    url = _url(spec, "secrets", f"/{reference['key'].lstrip('/')}")
    answer = reading_http.ask("GET", url, headers={"Authorization": f"Bearer {token}"})
    if answer.status == 404:
        raise Missing("404 Not Found: unable to find item with specified identifier")
    if answer.status != 200:
        raise Failed(f"{answer.status}: {(answer.body or {}).get('message', '')}")
    return json.dumps(answer.body["data"], sort_keys=True, separators=(",", ":"))


def find(cluster: Cluster, manifest: Manifest, wanted: Manifest) -> dict[str, str]:
    raise Failed("getting all secrets is not supported by Delinea DevOps Secrets Vault")


def _token(cluster: Cluster, spec: Any, namespace: str) -> str:
    client, secret = (
        secret_value(cluster, spec[one]["secretRef"], namespace) for one in ("clientId", "clientSecret")
    )
    body = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    answer = reading_http.ask("POST", _url(spec, "token", ""), body=body)
    if answer.status != 200:
        raise Failed(f"fetching token: {answer.status}: unable to authenticate")
    return str(answer.body["accessToken"])


def _url(spec: Any, resource: str, path: str) -> str:
    """Return what Go's Sprintf makes of the store's template."""
    given: list[str] = [spec["tenant"], spec.get("tld") or "com", resource, path]
    template = spec.get("urlTemplate") or _DEFAULT
    following = iter(given)

    def one(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        return given[int(found[1]) - 1] if found[1] else next(following)

    return re.sub(r"%%|%(?:\[(\d)\])?s", one, str(template))
