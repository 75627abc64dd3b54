"""The Google stand-in's keys of service accounts: made once, disabled, enabled, deleted; and when one was used."""

import base64
import re
import time
from typing import Any

from sandbox.google_api import Request, route
from sandbox.google_state import Account, Key, Refused, denied, not_found

MOST = 10
_KEYS = "/v1/projects/{project}/serviceAccounts/{email}/keys"
_ACTIVITIES = (
    "/v1/projects/{project}/locations/global/activityTypes/serviceAccountKeyLastAuthentication/activities"
)
_NAMED = re.compile(
    r"activities\.full_?[rR]esource_?[nN]ame\s*=\s*"
    r'"//iam\.googleapis\.com/projects/[^/"]+/serviceAccounts/([^/"]+)/keys/([^/"]+)"'
)


def _account(request: Request, permission: str) -> Account:
    """Return the account that the path names, if the caller may: by the project's policy, or by its own."""
    found = request.state.accounts.get(request.names["email"])
    project = request.state.project(found.project if found else request.names["project"])
    allowed = (project and project.policy.grants(request.members, permission)) or (
        found and found.policy.grants(request.members, permission)
    )
    if not allowed:
        raise denied(permission, f"projects/-/serviceAccounts/{request.names['email']}")
    if found is None:
        raise not_found(f"Service account {request.names['email']}")
    return found


def _one(request: Request, permission: str) -> tuple[Account, str, Key]:
    account, key_id = _account(request, permission), request.names["key"]
    if key_id not in account.keys:
        raise not_found(f"Service account key {key_id}")
    return account, key_id, account.keys[key_id]


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _told(account: Account, key_id: str, key: Key) -> dict[str, Any]:
    name = f"projects/{account.project}/serviceAccounts/{account.email}/keys/{key_id}"
    found: dict[str, Any] = {
        "name": name, "keyAlgorithm": "KEY_ALG_RSA_2048", "keyOrigin": "GOOGLE_PROVIDED",
        "keyType": "USER_MANAGED", "validAfterTime": _time(key.made_at), "validBeforeTime": "9999-12-31T23:59:59Z",
    }  # fmt: skip
    return found | ({"disabled": True} if key.disabled else {})


@route("GET", _KEYS)
def list_keys(request: Request) -> dict[str, Any]:
    account = _account(request, "iam.serviceAccountKeys.list")
    found = [_told(account, key_id, key) for key_id, key in account.keys.items()]
    return {"keys": found} if found else {}


@route("POST", _KEYS)
def create_key(request: Request) -> dict[str, Any]:
    account = _account(request, "iam.serviceAccountKeys.create")
    if request.state.faults.get("no_keys") or len(account.keys) >= MOST:
        raise Refused(400, "FAILED_PRECONDITION", "Precondition check failed.")
    text = account.new_key()
    key_id = list(account.keys)[-1]
    data = base64.b64encode(text.encode()).decode()
    told = _told(account, key_id, account.keys[key_id])
    return told | {"privateKeyType": "TYPE_GOOGLE_CREDENTIALS_FILE", "privateKeyData": data}


@route("GET", _KEYS + "/{key}")
def get_key(request: Request) -> dict[str, Any]:
    return _told(*_one(request, "iam.serviceAccountKeys.get"))


@route("DELETE", _KEYS + "/{key}")
def delete_key(request: Request) -> dict[str, Any]:
    account, key_id, _ = _one(request, "iam.serviceAccountKeys.delete")
    del account.keys[key_id]
    return {}


@route("POST", _KEYS + "/{key}:disable")
def disable_key(request: Request) -> dict[str, Any]:
    _one(request, "iam.serviceAccountKeys.disable")[2].disabled = True
    return {}


@route("POST", _KEYS + "/{key}:enable")
def enable_key(request: Request) -> dict[str, Any]:
    _one(request, "iam.serviceAccountKeys.enable")[2].disabled = False
    return {}


@route("GET", _ACTIVITIES + ":query")
def query_activities(request: Request) -> dict[str, Any]:
    """What is known of one key; Google is a day or two behind, the stand-in is not."""
    permission = "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query"
    project = request.state.require(request.members, permission, request.names["project"])
    named = _NAMED.fullmatch(request.query.get("filter", ""))
    if not named:
        raise Refused(400, "INVALID_ARGUMENT", "Invalid filter.")
    account = request.state.accounts.get(named[1])
    key = account.keys.get(named[2]) if account and account.project == project.id else None
    if account is None or key is None:
        return {}
    name = f"//iam.googleapis.com/projects/{account.project}/serviceAccounts/{account.email}/keys/{named[2]}"
    period = {"startTime": _time(key.made_at), "endTime": _time(time.time())}
    used_at = float(request.state.faults.get("used_at", key.used_at))
    activity = {"lastAuthenticatedTime": _time(used_at)} if used_at else {}
    found = {
        "fullResourceName": name, "activityType": "serviceAccountKeyLastAuthentication",
        "observationPeriod": period, "activity": activity | {"serviceAccountKey": {"fullResourceName": name}},
    }  # fmt: skip
    return {"activities": [found]}
