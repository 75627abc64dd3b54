"""How the sandbox's operator reads from Doppler: whole secrets, as a token or a service account identity."""

import base64
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from sandbox import reading_http, reading_values
from sandbox.kubernetes import Cluster, answers
from sandbox.reading import Manifest, secret_value
from sandbox.reading_values import Failed

# The operator takes a value whole, whatever field is asked for.
own_fields = True
_DOWNLOAD = "/v3/configs/config/secrets/download"


def check(cluster: Cluster, manifest: Manifest) -> None:
    """Ask for the projects, as the operator does: that proves the token.

    :raises Failed: it is refused
    """
    _ask("/v3/projects", {}, _token(cluster, manifest))


def value(cluster: Cluster, manifest: Manifest, reference: Manifest) -> str:
    """Return a secret, whole; a version or a field of it counts for nothing.

    :raises Failed: it is not there, or not for this token
    """
    name = reference["key"]
    try:
        found = _ask(_DOWNLOAD, _place(manifest) | {"secrets": name}, _token(cluster, manifest))
        if name not in found:
            raise Failed(f"Doppler API Client Error: secret '{name}' not found")
    except Failed as error:
        raise Failed(f"could not get secret {name}: {error}") from None
    return str(found[name])


def find(cluster: Cluster, manifest: Manifest, wanted: Manifest) -> dict[str, str]:
    """Return the secrets whose names begin with a path and match; asked by tags alone, every secret.

    :raises Failed: they are not for this token
    """
    try:
        found: dict[str, str] = _ask(_DOWNLOAD, _place(manifest), _token(cluster, manifest))
    except Failed as error:
        raise Failed(f"could not get secrets {error}") from None
    if not wanted.get("name") and not wanted.get("path"):
        return found
    kept = [name for name in found if name.startswith(wanted.get("path") or "")]
    return {name: found[name] for name in reading_values.matching(kept, wanted)}


def _place(manifest: Manifest) -> dict[str, str]:
    spec = manifest["spec"]["provider"]["doppler"]
    return {name: spec[name] for name in ("project", "config") if spec.get(name)}


def _token(cluster: Cluster, manifest: Manifest) -> str:
    spec, metadata = manifest["spec"]["provider"]["doppler"], manifest["metadata"]
    auth = spec["auth"]
    if "secretRef" in auth:
        return secret_value(cluster, auth["secretRef"]["dopplerToken"], metadata.get("namespace", ""))
    config = auth["oidcConfig"]
    reference = config["serviceAccountRef"]
    # The operator adds an audience of the store's own.
    audiences = [*reference.get("audiences", ()), f"clusterSecretStore:{metadata['name']}"]
    try:
        wanted = {"audiences": audiences, "expirationSeconds": 600}
        own = cluster.api.token(reference.get("namespace", ""), reference["name"], wanted)["token"]
    except answers.Refused:
        raise Failed(
            f'failed to create service account token: serviceaccounts "{reference["name"]}" not found'
        ) from None
    try:
        body = {"identity": config["identity"], "token": str(own)}
        return str(_ask("/v3/auth/oidc", {}, "", body)["token"])
    except Failed as error:
        raise Failed(f"failed to get OIDC token: Doppler OIDC auth failed: {error}") from None


def _ask(path: str, query: dict[str, str], token: str, body: dict[str, str] | None = None) -> Any:
    base = os.environ.get("DOPPLER_ENDPOINT_URL") or "https://api.doppler.com"
    headers = {"Accept": "application/json"}
    if token:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{token}:".encode()).decode()
    address = f"{base}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
    try:
        answer = reading_http.ask("GET" if body is None else "POST", address, headers=headers, body=body)
    except Failed:
        raise Failed("Doppler API Client Error: unable to load response") from None
    if answer.status >= 400:
        raise Failed(f"Doppler API Client Error: {_messages(answer)}")
    return answer.body


def _messages(answer: reading_http.Answer) -> str:
    try:
        return "\n".join(answer.body["messages"])
    except (LookupError, TypeError):
        return f"{answer.status} status code"
