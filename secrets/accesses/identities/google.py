"""Google: a service account, the cluster's ServiceAccount that may act as it, and its roles on the secrets' project."""

import copy
from typing import Any

from accesses.identities.base import PURPOSE
from accesses.models import Access, Identity
from accesses.providers.google import ways as provider
from clusters.addons import Manifest
from credentials import signing
from credentials.clouds import errors, google
from credentials.models import CloudCredential

API = "iam.googleapis.com"
ACCOUNT, BINDING = "Google service account", "Google IAM binding"
IMPERSONATE = "roles/iam.workloadIdentityUser"
READING = ("roles/secretmanager.secretAccessor", "roles/secretmanager.viewer")
# Somebody else changes the same policy: so often it is read and written again.
TRIES = 4

type Policy = dict[str, Any]


def _manifest(kind: str, name: str, spec: dict[str, Any]) -> Manifest:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _binding(on: str, role: str, member: str) -> Manifest:
    """Return a member's role on a project or a service account, both by their path at Google."""
    name = f"{role.rpartition('.')[2]} on {on.rpartition('/')[2]}"
    if "/serviceAccounts/" not in on:
        # Several accesses have the same role on one project; each is a binding of its own.
        name += f" for {member.partition(':')[2].partition('@')[0]}"
    return _manifest(BINDING, name, {"on": on, "role": role, "member": member})


def _account_path(project: str, email: str) -> str:
    return f"projects/{project}/serviceAccounts/{email}"


class Maker:
    """Makes service accounts in the cluster's project, and grants them roles on the secrets' project."""

    cloud = "gcp"

    def wanted(self, access: Access) -> list[Manifest]:
        email, project = provider.automatic_email(access), access.cluster.account
        secrets = f"projects/{access.configuration['project']}"
        return [
            _manifest(ACCOUNT, email, {"project": project, "description": PURPOSE}),
            _binding(_account_path(project, email), IMPERSONATE, provider.principal(access)),
            *(_binding(secrets, role, f"serviceAccount:{email}") for role in READING),
        ]

    def open(self, credential: CloudCredential, region: str) -> Any:
        return google.Api(signing.session(credential))

    def live(self, way: Any, wanted: Manifest) -> Manifest | None:
        spec = wanted["spec"]
        if wanted["kind"] == ACCOUNT:
            return _live_account(way, spec["project"], wanted["metadata"]["name"])
        try:
            policy = _policy(way, spec["on"])
        except errors.NotThere:
            # A service account that is not made yet trusts nobody.
            return None
        return wanted if _holds(policy, spec["role"], spec["member"]) else None

    def bring(self, way: Any, wanted: Manifest, live: Manifest | None) -> None:
        spec = wanted["spec"]
        if wanted["kind"] == BINDING:
            _change(way, spec["on"], lambda policy: _with(policy, spec["role"], spec["member"]))
            return
        name = wanted["metadata"]["name"].partition("@")[0]
        body = {"accountId": name, "serviceAccount": {"displayName": "Keyhaven", "description": PURPOSE}}
        path = f"v1/projects/{spec['project']}/serviceAccounts"
        way.call("POST", "iam", path, "iam.serviceAccounts.create", body)

    def facts(self, access: Access) -> dict[str, str]:
        return {
            "email": provider.automatic_email(access),
            "project": access.cluster.account,
            "secrets_project": access.configuration["project"],
        }

    def left(self, way: Any, identity: Identity) -> list[Manifest]:
        facts = identity.facts
        on, member = f"projects/{facts['secrets_project']}", f"serviceAccount:{facts['email']}"
        policy = _policy(way, on)
        bindings = [_binding(on, role, member) for role in READING if _holds(policy, role, member)]
        account = _live_account(way, facts["project"], facts["email"])
        return [*bindings, *([account] if account else [])]

    def remove(self, way: Any, left: Manifest) -> str:
        spec = left["spec"]
        if left["kind"] == BINDING:
            _change(way, spec["on"], lambda policy: _without(policy, spec["role"], spec["member"]))
            return ""
        path = f"v1/{_account_path(spec['project'], left['metadata']['name'])}"
        way.call("DELETE", "iam", path, "iam.serviceAccounts.delete")
        return ""


MAKER = Maker()


def _live_account(way: Any, project: str, email: str) -> Manifest | None:
    """Return a service account; its name has the access's id in it, so that nobody else's is taken for ours."""
    try:
        found = way.call("GET", "iam", f"v1/{_account_path(project, email)}", "iam.serviceAccounts.get")
    except errors.NotThere:
        return None
    return _manifest(ACCOUNT, email, {"project": project, "description": found.get("description", "")})


# -- policies: read, changed, written with the etag that was read ----------------------------------------------
def _service(on: str) -> tuple[str, str]:
    """Return the interface that keeps the policy of something, and what its permissions begin with."""
    if "/serviceAccounts/" in on:
        return "iam", "iam.serviceAccounts"
    return "cloudresourcemanager", "resourcemanager.projects"


def _policy(way: Any, on: str) -> Policy:
    service, permission = _service(on)
    # Version 3: or else Google leaves out the conditions of others, and writing would drop them.
    body = {"options": {"requestedPolicyVersion": 3}} if service == "cloudresourcemanager" else None
    query = {} if body else {"options.requestedPolicyVersion": 3}
    found: Policy = way.call(
        "POST", service, f"v1/{on}:getIamPolicy", f"{permission}.getIamPolicy", body, **query
    )
    return found


def _change(way: Any, on: str, act: Any) -> None:
    service, permission = _service(on)
    for left in range(TRIES - 1, -1, -1):
        body = {"policy": act(_policy(way, on)) | {"version": 3}}
        try:
            way.call("POST", service, f"v1/{on}:setIamPolicy", f"{permission}.setIamPolicy", body)
        except errors.Raced:
            if not left:
                raise
        else:
            return


def _plain(policy: Policy, role: str) -> list[dict[str, Any]]:
    """Return the bindings of a role that hold without a condition."""
    return [one for one in policy.get("bindings", []) if one["role"] == role and not one.get("condition")]


def _holds(policy: Policy, role: str, member: str) -> bool:
    return any(member in one.get("members", []) for one in _plain(policy, role))


def _with(policy: Policy, role: str, member: str) -> Policy:
    changed = copy.deepcopy(policy)
    found = _plain(changed, role)
    if found:
        found[0]["members"] = sorted({*found[0].get("members", []), member})
    else:
        changed["bindings"] = [*changed.get("bindings", []), {"role": role, "members": [member]}]
    return changed


def _without(policy: Policy, role: str, member: str) -> Policy:
    changed = copy.deepcopy(policy)
    for one in _plain(changed, role):
        one["members"] = [other for other in one.get("members", []) if other != member]
    changed["bindings"] = [one for one in changed.get("bindings", []) if one.get("members")]
    return changed
