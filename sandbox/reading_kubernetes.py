"""How the sandbox's operator reads Secrets of another cluster, or of another namespace: as a `kubernetes` store says."""

import base64
import json
import ssl
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from sandbox import reading_values
from sandbox.kubernetes import Cluster, answers
from sandbox.reading import Manifest, secret_value
from sandbox.reading_values import Failed, Missing

_TIMEOUT = 5
# The API server as pods of its own cluster know it; they find its authority in every namespace.
_SAME = ("https://kubernetes.default.svc", "https://kubernetes.default", "kubernetes.default")


def check(cluster: Cluster, manifest: Manifest) -> None:
    """Ask what the store's identity may do, as the operator does.

    :raises Failed: it is not let in, or may not read Secrets
    """
    spec = manifest["spec"]["provider"]["kubernetes"]
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": spec["remoteNamespace"]},
    }  # fmt: skip
    try:
        found = _asked(cluster, spec, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)
    except Missing:
        raise Failed("could not verify if client is valid: the server could not find the resource") from None
    for rule in found["status"]["resourceRules"]:
        if {"secrets", "*"} & set(rule["resources"]) and {"get", "*"} & set(rule["verbs"]):
            return
    raise Failed("client is not allowed to get secrets")


def value(cluster: Cluster, manifest: Manifest, reference: Manifest) -> str:
    """Return all that a Secret holds, as JSON; a property of it is taken out by whoever asks.

    :raises Failed: the store's identity may not
    :raises Missing: it is not there
    """
    spec = manifest["spec"]["provider"]["kubernetes"]
    name = urllib.parse.quote(reference["key"], safe="")
    return _text(_asked(cluster, spec, f"{_path(spec)}/{name}"))


def find(cluster: Cluster, manifest: Manifest, wanted: Manifest) -> dict[str, str]:
    """Return Secrets by labels, or else by names that match; a path is ignored.

    :raises Failed: the store's identity may not
    """
    spec = manifest["spec"]["provider"]["kubernetes"]
    tags = wanted.get("tags") or {}
    asked = urllib.parse.urlencode({"labelSelector": ",".join(f"{key}={text}" for key, text in tags.items())})
    found = _asked(cluster, spec, f"{_path(spec)}?{asked}")["items"]
    texts = {one["metadata"]["name"]: _text(one) for one in found}
    return texts if tags else {name: texts[name] for name in reading_values.matching(texts, wanted)}


def _path(spec: Manifest) -> str:
    return f"/api/v1/namespaces/{spec['remoteNamespace']}/secrets"


def _text(secret: Manifest) -> str:
    data = secret.get("data") or {}
    return json.dumps({key: base64.b64decode(text).decode() for key, text in data.items()})


def _asked(cluster: Cluster, spec: Manifest, path: str, body: Manifest | None = None) -> Any:
    url, auth = _server(cluster, spec["server"]), spec["auth"]
    authority = (
        cluster.ca_pem if url == cluster.url else base64.b64decode(spec["server"]["caBundle"]).decode()
    )
    context = ssl.create_default_context(cadata=authority)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if "cert" in auth:
        pair = [secret_value(cluster, auth["cert"][name], "") for name in ("clientCert", "clientKey")]
        with tempfile.NamedTemporaryFile(prefix="sandbox-") as file:
            file.write("".join(pair).encode())
            file.flush()
            context.load_cert_chain(file.name)
    else:
        headers["Authorization"] = f"Bearer {_token(cluster, auth)}"
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"{url}{path}", data=data, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT, context=context) as answer:  # noqa: S310
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                raise Missing from None
            raise Failed(json.loads(error.read()).get("message", "")) from None
    except OSError:
        raise Failed(f"unable to reach {url}") from None


def _server(cluster: Cluster, server: Manifest) -> str:
    url = str(server.get("url") or _SAME[0]).rstrip("/")
    return cluster.url if url in _SAME else url


def _token(cluster: Cluster, auth: Manifest) -> str:
    if "token" in auth:
        return secret_value(cluster, auth["token"]["bearerToken"], "")
    account = auth["serviceAccount"]
    try:
        return cluster.service_account_token(account.get("namespace", ""), account["name"], cluster.issuer)
    except answers.Refused:
        raise Failed(f"could not fetch Auth.ServiceAccount: {account['name']} not found") from None
