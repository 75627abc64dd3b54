"""How the sandbox's operator reads from Secret Server: with the account that a `secretserver` store names."""

import json
import urllib.parse
from typing import Any

from sandbox import reading_http, reading_values
from sandbox.kubernetes import Cluster
from sandbox.reading import Manifest, secret_value
from sandbox.reading_values import Failed, Missing

own_fields = True


def check(cluster: Cluster, manifest: Manifest) -> None:
    """Sign in and search, as the operator's own check does.

    :raises Failed: the account may not
    """
    _get(cluster, manifest, "?paging.take=1")


def value(cluster: Cluster, manifest: Manifest, reference: Manifest) -> str:
    """Return a field of a secret, or the whole record as JSON where the reference names none.

    :raises Failed: the account may not
    :raises Missing: there is no such secret, or field
    """
    if reference.get("version"):
        raise Failed("specifying a version is not supported")
    found = _secret(cluster, manifest, reference["key"])
    wanted = reference.get("property")
    if not wanted:
        return json.dumps(found)
    items = found["items"]
    try:
        return reading_values.field(items[0]["itemValue"], wanted, reference["key"])
    except Failed:
        named = {one["fieldName"]: one["itemValue"] for one in items}
        named |= {one["slug"]: one["itemValue"] for one in items}
        if wanted not in named:
            raise Missing from None
        return str(named[wanted])


def whole(cluster: Cluster, manifest: Manifest, reference: Manifest) -> str:
    """Return the first field, of which every key is taken.

    :raises Failed: the account may not
    """
    return str(_secret(cluster, manifest, reference["key"])["items"][0]["itemValue"])


def find(cluster: Cluster, manifest: Manifest, wanted: Manifest) -> dict[str, str]:
    raise Failed("getting all secrets is not supported by Delinea Secret Server at this time")


def _secret(cluster: Cluster, manifest: Manifest, key: str) -> Any:
    if key.startswith("/"):
        return _get(cluster, manifest, f"/0?secretPath={urllib.parse.quote(key, safe='')}")
    if key.isdecimal():
        return _get(cluster, manifest, f"/{key}")
    asked = urllib.parse.urlencode({"paging.filter.searchText": key, "paging.filter.searchField": "Name"})
    found = _get(cluster, manifest, f"?{asked}")["records"]
    if not found:
        raise Missing("no matching secrets")
    return _get(cluster, manifest, f"/{found[0]['id']}")


def _get(cluster: Cluster, manifest: Manifest, path: str) -> Any:
    spec = manifest["spec"]["provider"]["secretserver"]
    token = _token(cluster, spec, manifest["metadata"].get("namespace", ""))
    url = f"{spec['serverURL'].rstrip('/')}/api/v1/secrets{path}"
    answer = reading_http.ask("GET", url, headers={"Authorization": f"Bearer {token}"})
    if answer.status == 404:
        raise Missing
    if answer.status != 200:
        raise Failed(f"{answer.status}: {(answer.body or {}).get('errorCode', '')}")
    return answer.body


def _token(cluster: Cluster, spec: Any, namespace: str) -> str:
    if "token" in spec:
        return secret_value(cluster, spec["token"]["secretRef"], namespace)
    user, password = (
        secret_value(cluster, spec[one]["secretRef"], namespace) for one in ("username", "password")
    )
    form = {"grant_type": "password", "username": user, "password": password}
    if spec.get("domain"):
        form["domain"] = spec["domain"]
    answer = reading_http.ask("POST", f"{spec['serverURL'].rstrip('/')}/oauth2/token", form=form)
    if answer.status != 200:
        raise Failed(f"{answer.status} Bad Request: Login failed.")
    return str(answer.body["access_token"])
