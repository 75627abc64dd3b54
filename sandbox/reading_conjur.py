"""How the sandbox's operator reads from Conjur: as the identity of a `conjur` store."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from sandbox import reading_values
from sandbox.kubernetes import Cluster, answers
from sandbox.reading import Manifest, secret_value
from sandbox.reading_values import Failed

_TIMEOUT = 5
_PAGE = 100


def check(cluster: Cluster, manifest: Manifest) -> None:
    """Say that a store is fine: the operator asks Conjur for nothing here, so that a wrong key is Ready too."""


def value(cluster: Cluster, manifest: Manifest, reference: Manifest) -> str:
    """Return a variable's newest value; a version is ignored.

    :raises Failed: the store's identity may not, or it is not there, which the operator does not tell apart
    """
    url, account, token = _signed_in(cluster, manifest)
    name = urllib.parse.quote(reference["key"], safe="")
    return _asked(f"{url}/secrets/{account}/variable/{name}", token).decode()


def find(cluster: Cluster, manifest: Manifest, wanted: Manifest) -> dict[str, str]:
    """Return values by names that match, or else by annotations; a path is ignored.

    :raises Failed: as above, also where one of them has no value
    """
    url, account, token = _signed_in(cluster, manifest)
    found: list[Manifest] = []
    while len(found) % _PAGE == 0:
        page = json.loads(
            _asked(f"{url}/resources/{account}/variable?limit={_PAGE}&offset={len(found)}", token)
        )
        found += page
        if not page:
            break
    names = [one["id"] for one in found if _wanted(one, wanted)]
    if not names:
        return {}
    asked = urllib.parse.urlencode({"variable_ids": ",".join(names)})
    values = json.loads(_asked(f"{url}/secrets?{asked}", token))
    return {name.split(":", 2)[-1]: text for name, text in values.items()}


def _wanted(variable: Manifest, wanted: Manifest) -> bool:
    if wanted.get("name"):
        return bool(reading_values.matching([variable["id"].split(":", 2)[-1]], wanted))
    tags: dict[str, str] = wanted.get("tags") or {}
    return tags.items() <= {one["name"]: one["value"] for one in variable["annotations"]}.items()


def _signed_in(cluster: Cluster, manifest: Manifest) -> tuple[str, str, str]:
    """Return the address, the account and an access token.

    :raises Failed: Conjur does not let the store's identity in
    """
    spec = manifest["spec"]["provider"]["conjur"]
    url, auth = spec["url"].rstrip("/"), spec["auth"]
    namespace = manifest["metadata"].get("namespace", "")
    if "apikey" in auth:
        found = auth["apikey"]
        login = urllib.parse.quote(secret_value(cluster, found["userRef"], namespace), safe="")
        path, body = f"authn/{found['account']}/{login}", secret_value(cluster, found["apiKeyRef"], namespace)
    else:
        found = auth["jwt"]
        path = "/".join(["authn-jwt", found["serviceID"], found["account"], *_host(found)])
        body = urllib.parse.urlencode({"jwt": _own_token(cluster, found["serviceAccountRef"])})
    answer = _asked(f"{url}/{path}/authenticate", "", body.encode())
    return url, found["account"], base64.b64encode(answer).decode()


def _host(auth: Manifest) -> list[str]:
    return [urllib.parse.quote(auth["hostId"], safe="")] if auth.get("hostId") else []


def _own_token(cluster: Cluster, reference: Manifest) -> str:
    name, audience = reference["name"], (reference.get("audiences") or [""])[0]
    try:
        return cluster.service_account_token(reference.get("namespace", ""), name, audience)
    except answers.Refused:
        raise Failed(
            f'cannot request Kubernetes service account token for service account "{name}"'
        ) from None


def _asked(url: str, token: str, body: bytes | None = None) -> bytes:
    headers: dict[str, Any] = {"Authorization": f'Token token="{token}"'} if token else {}
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
            found: bytes = answer.read()
            return found
    except urllib.error.HTTPError as error:
        with error:
            raise Failed(f"{error.code} {_said(error.read())}") from None
    except OSError:
        raise Failed("cannot setup new Conjur client: Conjur does not answer") from None


def _said(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return ""
