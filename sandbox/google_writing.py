"""The Google stand-in's writes: secrets are made, get versions and labels, and are deleted."""

import base64
import re
import time
from typing import Any

from sandbox.google_api import Request, described, one, place, route
from sandbox.google_state import Refused, denied

_BASE = "/v1/projects/{project}/secrets"
_THERE = "/v1/projects/{project}/locations/{location}/secrets"
_LARGEST = 65_536


def _faulty(request: Request) -> None:
    """Fail as a test wants: `write_once` is the status of the next write alone."""
    if status := int(request.state.faults.pop("write_once", 0)):
        raise Refused(status, "UNAVAILABLE" if status >= 500 else "INVALID_ARGUMENT", "Planted.")


def _labels(given: Any) -> dict[str, str]:
    labels: dict[str, str] = dict(given or {})
    for name, value in labels.items():
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name) or not re.fullmatch(r"[a-z0-9_-]{0,63}", value):
            raise Refused(400, "INVALID_ARGUMENT", "Invalid label.")
    return labels


@route("POST", _BASE)
@route("POST", _THERE)
def create(request: Request) -> dict[str, Any]:
    _faulty(request)
    location, name = place(request.names.get("location", "")), request.query.get("secretId", "")
    permission = "secretmanager.secrets.create"
    project = request.state.require(request.members, permission, request.names["project"])
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name):
        raise Refused(400, "INVALID_ARGUMENT", "Invalid secret id.")
    if not location and "replication" not in request.body:
        raise Refused(400, "INVALID_ARGUMENT", "Replication is required.")
    if (location, name) in project.secrets:
        raise Refused(409, "ALREADY_EXISTS", f"Secret [{name}] already exists.")
    made = {"create": time.time(), "labels": _labels(request.body.get("labels")), "versions": []}
    project.secrets = {(location, name): made} | project.secrets
    return described(project, location, name, made)


@route("POST", _BASE + "/{secret}:addVersion")
@route("POST", _THERE + "/{secret}:addVersion")
def add_version(request: Request) -> dict[str, Any]:
    _faulty(request)
    _, _, _, found = one(request, "secretmanager.versions.add")
    if request.state.faults.get("no_version"):
        raise denied("secretmanager.versions.add", "a secret")
    data = base64.b64decode(request.body["payload"]["data"])
    if len(data) > _LARGEST:
        raise Refused(400, "INVALID_ARGUMENT", "Payload is too large.")
    found["versions"].append(data.decode())
    return {"name": f"versions/{len(found['versions'])}", "state": "ENABLED"}


@route("PATCH", _BASE + "/{secret}")
@route("PATCH", _THERE + "/{secret}")
def change(request: Request) -> dict[str, Any]:
    project, location, name, found = one(request, "secretmanager.secrets.update")
    if request.query.get("updateMask") != "labels":
        raise Refused(400, "INVALID_ARGUMENT", "Invalid update mask.")
    found["labels"] = _labels(request.body.get("labels"))
    return described(project, location, name, found)


@route("DELETE", _BASE + "/{secret}")
@route("DELETE", _THERE + "/{secret}")
def delete(request: Request) -> dict[str, Any]:
    _faulty(request)
    project, location, name, _ = one(request, "secretmanager.secrets.delete")
    del project.secrets[(location, name)]
    return {}
