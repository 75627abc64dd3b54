"""How the sandbox's operator reads from Google: as the identity of a `gcpsm` store, from the stand-in."""

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from sandbox import reading_http, reading_values
from sandbox.kubernetes import Cluster, answers
from sandbox.reading import Manifest, secret_value
from sandbox.reading_values import Failed, Missing

_JWT = "urn:ietf:params:oauth:token-type:jwt"
_ANNOTATION = "iam.gke.io/gcp-service-account"


def check(cluster: Cluster, manifest: Manifest, google_url: str) -> None:
    """Get a token as a store's identity, which proves that identity and not one permission.

    :raises Failed: there is none
    """
    _token(cluster, manifest, google_url)


def value(cluster: Cluster, manifest: Manifest, reference: Manifest, google_url: str) -> str:
    """Return what a remoteRef names, in its latest version or the one that it asks for.

    :raises Failed: the store's identity may not, or it is not there
    """
    spec = manifest["spec"]["provider"]["gcpsm"]
    where = f"/locations/{spec['location']}" if spec.get("location") else ""
    secret, version = (
        urllib.parse.quote(text, safe="") for text in (reference["key"], reference.get("version") or "latest")
    )
    path = f"/v1/projects/{spec.get('projectID', '')}{where}/secrets/{secret}/versions/{version}:access"
    code, found = _ask(google_url + path, token=_token(cluster, manifest, google_url))
    if code == 404:
        raise Missing
    if code != 200:
        status = (found.get("error") or {}).get("status", "")
        raise Failed(f"unable to access Secret from SecretManager Client: rpc error: code = {status}")
    return base64.b64decode(found["payload"]["data"]).decode()


def find(cluster: Cluster, manifest: Manifest, wanted: Manifest, google_url: str) -> dict[str, str]:
    """Return values by name: those that begin with a path and match, or those with labels.

    :raises Failed: the store's identity may not
    """
    spec = manifest["spec"]["provider"]["gcpsm"]
    start = f"/v1/projects/{spec.get('projectID', '')}"
    # By labels the operator always lists the global secrets.
    where = f"/locations/{spec['location']}" if spec.get("location") and wanted.get("name") else ""
    names: list[str] = []
    page = ""
    while True:
        asked = urllib.parse.urlencode({"pageSize": 1000, "pageToken": page})
        token = _token(cluster, manifest, google_url)
        code, found = _ask(f"{google_url}{start}{where}/secrets?{asked}", token=token)
        if code != 200:
            status = (found.get("error") or {}).get("status", "")
            raise Failed(f"failed to list secrets: rpc error: code = {status}")
        names += [one["name"].rpartition("/")[2] for one in found.get("secrets", ()) if _wanted(one, wanted)]
        page = found.get("nextPageToken", "")
        if not page:
            return {name: value(cluster, manifest, {"key": name}, google_url) for name in names}


def _wanted(secret: Manifest, wanted: Manifest) -> bool:
    name = secret["name"].rpartition("/")[2]
    if wanted.get("name"):
        return bool(name.startswith(wanted.get("path", ""))) and bool(reading_values.matching([name], wanted))
    tags: dict[str, str] = wanted.get("tags") or {}
    labels: dict[str, str] = secret.get("labels", {})
    return tags.items() <= labels.items()


def _token(cluster: Cluster, manifest: Manifest, url: str) -> str:
    """Return an access token as the store's `auth` says."""
    spec = manifest["spec"]["provider"]["gcpsm"]
    auth, namespace = spec.get("auth") or {}, manifest["metadata"].get("namespace", "")
    if reference := (auth.get("secretRef") or {}).get("secretAccessKeySecretRef"):
        return _by_key(secret_value(cluster, reference, namespace), url)
    if found := auth.get("workloadIdentity"):
        return _by_cluster(cluster, found, url)
    if found := auth.get("workloadIdentityFederation"):
        return _by_pool(cluster, found, url)
    ambient = getattr(cluster, "ambient_google", None)
    if ambient is None:
        raise Failed("unable to create GCP client: google: could not find default credentials")
    return _by_key(json.dumps(ambient) if isinstance(ambient, dict) else ambient, url)


def _by_key(text: str, url: str) -> str:
    from google.auth import crypt, jwt
    from google.auth.exceptions import MalformedError

    make: Any = crypt.RSASigner
    encode: Any = jwt.encode
    try:
        key = json.loads(text)
        signer = make.from_service_account_info(key)
        now, audience = int(time.time()), "https://oauth2.googleapis.com/token"
        claims = {"iss": key["client_email"], "aud": audience, "iat": now, "exp": now + 3600}
        assertion = encode(signer, claims).decode()
    except (MalformedError, ValueError, KeyError, TypeError):
        raise Failed("unable to create GCP client: the key cannot be read") from None
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    code, found = _ask(f"{url}/token", form=form)
    return _granted(code, found, "oauth2: cannot fetch token")


def _granted(code: int, found: dict[str, Any], words: str) -> str:
    """Return the token of an answer; of a refusal only its name, which quotes nothing."""
    token = found.get("access_token") or found.get("accessToken")
    if code == 200 and token:
        return str(token)
    error = found.get("error")
    name = error.get("status", "") if isinstance(error, dict) else error
    raise Failed(f"unable to create GCP client: {words}: {code} {name}")


def _exchanged(cluster: Cluster, reference: Manifest, subject: str, audience: str, url: str) -> str:
    """Return a federated token for a ServiceAccount's own."""
    try:
        token = cluster.service_account_token(reference.get("namespace", ""), reference["name"], subject)
    except answers.Refused:
        name = reference["name"]
        raise Failed(f'unable to create GCP client: serviceaccounts "{name}" not found') from None
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": audience,
        "subject_token": token, "subject_token_type": _JWT,
        "scope": "https://www.googleapis.com/auth/cloud-platform",
    }  # fmt: skip
    code, found = _ask(f"{url}/v1/token", form=form)
    return _granted(code, found, "sts: cannot exchange token")


def _acting_as(email: str, token: str, url: str) -> str:
    if not email:
        return token
    name = urllib.parse.quote(email, safe="@")
    path = f"/v1/projects/-/serviceAccounts/{name}:generateAccessToken"
    code, found = _ask(
        url + path, token=token, body={"scope": ["https://www.googleapis.com/auth/cloud-platform"]}
    )
    return _granted(code, found, "iam: cannot act as the service account")


def _annotated(cluster: Cluster, reference: Manifest) -> str:
    account = cluster.get("ServiceAccount", reference["name"], reference.get("namespace", "")) or {}
    return str((account.get("metadata", {}).get("annotations") or {}).get(_ANNOTATION, ""))


def _by_cluster(cluster: Cluster, auth: Manifest, url: str) -> str:
    reference, pool = auth["serviceAccountRef"], f"{auth.get('clusterProjectID', '')}.svc.id.goog"
    where = (
        f"projects/{auth.get('clusterProjectID')}/locations/{auth.get('clusterLocation')}"
        f"/clusters/{auth.get('clusterName')}"
    )
    audience = f"identitynamespace:{pool}:https://container.googleapis.com/v1/{where}"
    token = _exchanged(cluster, reference, pool, audience, url)
    return _acting_as(_annotated(cluster, reference), token, url)


def _by_pool(cluster: Cluster, auth: Manifest, url: str) -> str:
    reference, audience = auth["serviceAccountRef"], auth["audience"]
    subject = (reference.get("audiences") or [f"https:{audience}"])[0]
    token = _exchanged(cluster, reference, subject, audience, url)
    return _acting_as(auth.get("gcpServiceAccountEmail") or _annotated(cluster, reference), token, url)


def _ask(
    url: str, *, token: str = "", form: dict[str, str] | None = None, body: dict[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = reading_http.ask(
            "POST" if form or body else "GET", url, headers=headers, form=form, body=body
        )
    except Failed:
        raise Failed("unable to create GCP client: Google does not answer") from None
    return answer.status, answer.body or {}
