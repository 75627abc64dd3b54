"""The Google stand-in's REST: Secret Manager, IAM, Resource Manager, the token addresses, and what tests set."""

import base64
import calendar
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox import google_tokens as tokens
from sandbox.google_state import LOCATIONS, Policy, Project, Refused, State, denied, not_found


@dataclass(slots=True)
class Request:
    """What came in: who asks, what the path named, the query and the body."""

    state: State
    members: frozenset[str]
    query: dict[str, str]
    body: dict[str, Any]
    names: dict[str, str] = field(default_factory=dict)


type Action = Callable[[Request], dict[str, Any]]
_ROUTES: list[tuple[str, re.Pattern[str], Action]] = []


def route(method: str, path: str) -> Callable[[Action], Action]:
    """Register an action; `{name}` in the path is one segment without a colon verb."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+?)", path))

    def register(action: Action) -> Action:
        _ROUTES.append((method, pattern, action))
        return action

    return register


def answer(request: Request, method: str, path: str) -> dict[str, Any]:
    """Return the answer to one request.

    :raises Refused: anything but 200
    """
    for wanted, pattern, action in _ROUTES:
        found = pattern.fullmatch(path)
        if found and wanted == method:
            request.names = found.groupdict()
            return action(request)
    raise not_found(f"{method} {path}")


def place(name: str) -> str:
    if name and name not in LOCATIONS:
        raise Refused(404, "NOT_FOUND", f"Location '{name}' is not found or access is unauthorized.")
    return name


# -- Secret Manager ----------------------------------------------------------------------------------------
def _name(project: Project, location: str, secret: str) -> str:
    where = f"/locations/{location}" if location else ""
    return f"projects/{project.number}{where}/secrets/{secret}"


def described(project: Project, location: str, name: str, one: dict[str, Any]) -> dict[str, Any]:
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one["create"]))
    found = {"name": _name(project, location, name), "createTime": made, "labels": one["labels"]}
    return found if location else found | {"replication": {"automatic": {}}}


def _page(request: Request, found: list[Any]) -> tuple[list[Any], str]:
    try:
        start = int(base64.urlsafe_b64decode(request.query.get("pageToken", "") or b"MA=="))
        size = int(request.query.get("pageSize") or 25_000)
    except ValueError:
        raise Refused(400, "INVALID_ARGUMENT", "Invalid page token.") from None
    end = start + min(size or 25_000, 25_000)
    return found[start:end], base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(found) else ""


def _faulty(state: State) -> None:
    state.pages += 1
    if random.random() < float(state.faults.get("throttle", 0)):  # noqa: S311
        raise Refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", reason="RATE_LIMIT_EXCEEDED")
    if state.faults.get("fail_page") == state.pages:
        raise Refused(500, "INTERNAL", "Internal error encountered.")
    if reason := state.faults.get("reason"):
        service = {"service": "secretmanager.googleapis.com"}
        raise Refused(403, "PERMISSION_DENIED", "Refused by the sandbox.", reason=reason, metadata=service)


def _filter(text: str) -> Callable[[str, dict[str, Any]], bool]:
    """Return what a filter lets through; of Google's language those that the console uses."""
    if wanted := re.fullmatch(r"name:([A-Za-z0-9_][A-Za-z0-9_-]*)|", text):
        words = (wanted[1] or "").lower()
        return lambda name, one: words in name.lower()
    if wanted := re.fullmatch(r"create_time>(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", text):
        after = calendar.timegm(time.strptime(wanted[1], "%Y-%m-%dT%H:%M:%SZ"))
        return lambda name, one: one["create"] > after
    raise Refused(400, "INVALID_ARGUMENT", "Invalid filter.")


@route("GET", "/v1/projects/{project}/secrets")
@route("GET", "/v1/projects/{project}/locations/{location}/secrets")
def list_secrets(request: Request) -> dict[str, Any]:
    state, location = request.state, place(request.names.get("location", ""))
    project = state.require(request.members, "secretmanager.secrets.list", request.names["project"])
    _faulty(state)
    passes = _filter(request.query.get("filter", ""))
    found = [one for one in project.of(location) if passes(*one)]
    if state.faults.get("empty_pages") and not request.query.get("pageToken"):
        return {"nextPageToken": "MA==", "totalSize": len(found)}
    part, after = _page(request, found)
    listed = [described(project, location, *one) for one in part]
    return {"secrets": listed, "totalSize": len(found)} | ({"nextPageToken": after} if after else {})


def one(request: Request, permission: str) -> tuple[Project, str, str, dict[str, Any]]:
    location, name = place(request.names.get("location", "")), request.names["secret"]
    known = request.state.project(request.names["project"])
    full = _name(known, location, name) if known else ""
    project = request.state.require(request.members, permission, request.names["project"], full)
    if (location, name) not in project.secrets:
        raise not_found(f"Secret [{full}]")
    return project, location, name, project.secrets[(location, name)]


@route("GET", "/v1/projects/{project}/secrets/{secret}")
@route("GET", "/v1/projects/{project}/locations/{location}/secrets/{secret}")
def get_secret(request: Request) -> dict[str, Any]:
    return described(*one(request, "secretmanager.secrets.get"))


@route("GET", "/v1/projects/{project}/secrets/{secret}/versions/{version}:access")
@route("GET", "/v1/projects/{project}/locations/{location}/secrets/{secret}/versions/{version}:access")
def access_version(request: Request) -> dict[str, Any]:
    project, location, name, known = one(request, "secretmanager.versions.access")
    version = request.names["version"]
    number = len(known["versions"]) if version == "latest" else int(version) if version.isdigit() else 0
    number = number or known.get("aliases", {}).get(version, 0)
    if not 0 < number <= len(known["versions"]):
        raise not_found(f"Secret Version [{_name(project, location, name)}/versions/{version}]")
    data = base64.b64encode(known["versions"][number - 1].encode()).decode()
    return {"name": f"{_name(project, location, name)}/versions/{number}", "payload": {"data": data}}


@route("GET", "/v1/projects/{project}/locations")
def list_locations(request: Request) -> dict[str, Any]:
    name = request.names["project"]
    request.state.require(request.members, "secretmanager.locations.list", name)
    return {
        "locations": [{"name": f"projects/{name}/locations/{one}", "locationId": one} for one in LOCATIONS]
    }


@route("POST", "/v1/projects/{project}/secrets/{secret}:testIamPermissions")
@route("POST", "/v1/projects/{project}/locations/{location}/secrets/{secret}:testIamPermissions")
def test_secret(request: Request) -> dict[str, Any]:
    project, location = request.state.project(request.names["project"]), request.names.get("location", "")
    full = _name(project, location, request.names["secret"]) if project else ""
    return _tested(request, project.policy if project else Policy(), full)


# -- Resource Manager ---------------------------------------------------------------------------------------
def _tested(request: Request, policy: Policy, resource: str = "") -> dict[str, Any]:
    asked = request.body.get("permissions") or []
    held = [one for one in asked if policy.grants(request.members, one, resource)]
    return {"permissions": held} if held else {}


@route("GET", "/v1/projects/{project}")
def get_project(request: Request) -> dict[str, Any]:
    found = request.state.require(request.members, "resourcemanager.projects.get", request.names["project"])
    return {
        "projectNumber": found.number,
        "projectId": found.id,
        "lifecycleState": "ACTIVE",
        "name": found.id,
    }


@route("GET", "/v3/projects/{project}")
def get_project_v3(request: Request) -> dict[str, Any]:
    found = request.state.require(request.members, "resourcemanager.projects.get", request.names["project"])
    return {
        "name": f"projects/{found.number}",
        "projectId": found.id,
        "state": "ACTIVE",
        "displayName": found.id,
    }


@route("POST", "/v[13]/projects/{project}:testIamPermissions")
def test_project(request: Request) -> dict[str, Any]:
    project = request.state.project(request.names["project"])
    return _tested(request, project.policy if project else Policy())


@route("POST", "/v[13]/projects/{project}:getIamPolicy")
def get_project_policy(request: Request) -> dict[str, Any]:
    permission = "resourcemanager.projects.getIamPolicy"
    return request.state.require(request.members, permission, request.names["project"]).policy.as_json()


@route("POST", "/v[13]/projects/{project}:setIamPolicy")
def set_project_policy(request: Request) -> dict[str, Any]:
    permission = "resourcemanager.projects.setIamPolicy"
    found = request.state.require(request.members, permission, request.names["project"])
    _know_members(request.state)
    return found.policy.replace(request.body.get("policy") or {})


def _know_members(state: State) -> None:
    """Refuse as many times as a test wants, as Google does while it does not know a new service account everywhere."""
    if left := int(state.faults.get("unknown_members", 0)):
        state.faults["unknown_members"] = left - 1
        raise Refused(400, "INVALID_ARGUMENT", "Service account does not exist.")


# -- IAM ------------------------------------------------------------------------------------------------------
@route("POST", "/v1/projects/{project}/serviceAccounts")
def create_account(request: Request) -> dict[str, Any]:
    project = request.state.require(request.members, "iam.serviceAccounts.create", request.names["project"])
    name, words = request.body.get("accountId", ""), request.body.get("serviceAccount") or {}
    if not re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", name):
        raise Refused(400, "INVALID_ARGUMENT", "Invalid accountId.")
    made = request.state.create_account(
        project.id, name, display_name=words.get("displayName", ""), description=words.get("description", "")
    )
    return made.as_json()


def _account(request: Request, permission: str) -> Any:
    email = request.names["email"]
    found = request.state.accounts.get(email)
    project = found.project if found else request.names["project"]
    if project == "-":
        raise denied(permission, f"projects/-/serviceAccounts/{email}")
    request.state.require(request.members, permission, project)
    if found is None:
        raise not_found(f"Service account {email}")
    return found


@route("GET", "/v1/projects/{project}/serviceAccounts/{email}")
def get_account(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = _account(request, "iam.serviceAccounts.get").as_json()
    return found


@route("DELETE", "/v1/projects/{project}/serviceAccounts/{email}")
def delete_account(request: Request) -> dict[str, Any]:
    del request.state.accounts[_account(request, "iam.serviceAccounts.delete").email]
    return {}


@route("POST", "/v1/projects/{project}/serviceAccounts/{email}:getIamPolicy")
def get_account_policy(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = _account(request, "iam.serviceAccounts.getIamPolicy").policy.as_json()
    return found


@route("POST", "/v1/projects/{project}/serviceAccounts/{email}:setIamPolicy")
def set_account_policy(request: Request) -> dict[str, Any]:
    policy: Policy = _account(request, "iam.serviceAccounts.setIamPolicy").policy
    _know_members(request.state)
    return policy.replace(request.body.get("policy") or {})


@route("POST", "/v1/projects/-/serviceAccounts/{email}:generateAccessToken")
def generate_token(request: Request) -> dict[str, Any]:
    return tokens.impersonate(request.state, request.members, request.names["email"], request.body)


_POOLS = "/v1/projects/{project}/locations/global/workloadIdentityPools"


@route("POST", _POOLS)
def create_pool(request: Request) -> dict[str, Any]:
    project = request.state.require(
        request.members, "iam.workloadIdentityPools.create", request.names["project"]
    )
    pool = request.query.get("workloadIdentityPoolId", "")
    project.pools[pool] = {**request.body, "providers": {}}
    return {"name": f"projects/{project.number}/operations/1", "done": True}


@route("POST", _POOLS + "/{pool}/providers")
def create_provider(request: Request) -> dict[str, Any]:
    permission = "iam.workloadIdentityPoolProviders.create"
    project = request.state.require(request.members, permission, request.names["project"])
    if request.names["pool"] not in project.pools:
        raise not_found("Workload identity pool")
    name = request.query.get("workloadIdentityPoolProviderId", "")
    project.pools[request.names["pool"]]["providers"][name] = request.body
    return {"name": f"projects/{project.number}/operations/2", "done": True}
