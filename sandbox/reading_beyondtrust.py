"""How the sandbox's operator reads from Password Safe: as the user that a `beyondtrust` store names."""

import urllib.parse
from typing import Any

from sandbox import reading_http
from sandbox.kubernetes import Cluster
from sandbox.reading import Manifest, secret_value
from sandbox.reading_values import Failed, Missing

own_fields = True


def check(cluster: Cluster, manifest: Manifest) -> None:
    """Look whether the address is one that the operator takes; that somebody listens there it finds by a connection.

    :raises Failed: it is none
    """
    _address(manifest)


def value(cluster: Cluster, manifest: Manifest, reference: Manifest) -> str:
    """Return a secret's whole value: neither a field nor a version changes it.

    :raises Failed: the user may not
    :raises Missing: there is none
    """
    spec = manifest["spec"]["provider"]["beyondtrust"]
    if spec["server"].get("retrievalType", "").upper() != "SECRET":
        raise Failed("error getting secret/managed account: no managed account")
    separator = spec["server"].get("separator") or "/"
    path, found, title = reference["key"].rpartition(separator)
    if not (found and path and title):
        raise Failed("invalid retrieval path. Provide one path, separator and name")
    base, cookie = _address(manifest), _session(cluster, manifest)
    asked = urllib.parse.urlencode({"path": path, "title": title, "separator": separator})
    answer = reading_http.ask("GET", f"{base}/Secrets-Safe/Secrets?{asked}", headers={"Cookie": cookie})
    reading_http.ask("POST", f"{base}/Auth/Signout", headers={"Cookie": cookie})
    if answer.status != 200:
        raise Failed(f"error getting secret/managed account: error - status code: {answer.status}")
    if not answer.body:
        raise Missing("error getting secret/managed account: Secret was not found: StatusCode: 404")
    return str(answer.body[0]["Password"])


def whole(cluster: Cluster, manifest: Manifest, reference: Manifest) -> str:
    raise Failed("not implemented")


def find(cluster: Cluster, manifest: Manifest, wanted: Manifest) -> dict[str, str]:
    raise Failed("GetAllSecrets not implemented")


def _address(manifest: Manifest) -> str:
    url = str(manifest["spec"]["provider"]["beyondtrust"]["server"]["apiUrl"])
    host = urllib.parse.urlsplit(url)
    if host.scheme == "http" and host.hostname != "127.0.0.1":
        raise Failed("error in Inputs: http is not support. Use https")
    if "/BeyondTrust/api/public/v" not in url:
        raise Failed(
            "error in Inputs: invalid API URL, it must contains /BeyondTrust/api/public/v as part of the route"
        )
    return url.rstrip("/")


def _session(cluster: Cluster, manifest: Manifest) -> str:
    """Return the cookie of a session."""
    auth, namespace = (
        manifest["spec"]["provider"]["beyondtrust"]["auth"],
        manifest["metadata"].get("namespace", ""),
    )
    base = _address(manifest)
    if "apiKey" in auth:
        header = f"PS-Auth key={secret_value(cluster, auth['apiKey']['secretRef'], namespace)}"
    else:
        header = f"Bearer {_token(cluster, auth, namespace, base)}"
    answer = reading_http.ask("POST", f"{base}/Auth/SignAppin", headers={"Authorization": header})
    if answer.status != 200:
        raise Failed(f"error getting authentication: error - status code: {answer.status}")
    return answer.headers.get("set-cookie", "").partition(";")[0]


def _token(cluster: Cluster, auth: Any, namespace: str, base: str) -> str:
    client, secret = (
        secret_value(cluster, auth[one]["secretRef"], namespace) for one in ("clientId", "clientSecret")
    )
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    answer = reading_http.ask("POST", f"{base}/Auth/connect/token", form=form)
    if answer.status != 200:
        raise Failed(f"error getting authentication: error - status code: {answer.status}")
    return str(answer.body["access_token"])
