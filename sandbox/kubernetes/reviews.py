"""What the API tells about identities: who somebody is, what he may do, and whose a token is."""

from typing import TYPE_CHECKING, Any

from sandbox import tokens
from sandbox.kubernetes import answers
from sandbox.kubernetes.identity import User

if TYPE_CHECKING:
    from sandbox.kubernetes.requests import Api


def answer(api: "Api", kind: str, body: dict[str, Any], user: User) -> dict[str, Any]:
    """Return a review with its status.

    :raises answers.Refused: 403, about somebody else's token
    """
    spec = body.get("spec") or {}
    if kind == "SelfSubjectReview":
        return body | {"status": {"userInfo": {"username": user.name, "groups": list(user.groups)}}}
    if kind == "SelfSubjectAccessReview":
        return body | {"status": {"allowed": _allowed(user, spec)}}
    if kind == "SelfSubjectRulesReview":
        return body | {"status": _rules(user, spec.get("namespace", ""))}
    api.identities.require(user, "create", "authentication.k8s.io", "tokenreviews", "", "")
    return body | {"status": _whose(api, spec)}


def _allowed(user: User, spec: dict[str, Any]) -> bool:
    """Tell whether a user may do what a SelfSubjectAccessReview asks about."""
    address = spec.get("nonResourceAttributes")
    if address:
        return user.may_ask(address.get("path", ""), address.get("verb", "get"))
    wanted = spec.get("resourceAttributes") or {}
    sub = wanted.get("subresource")
    plural = f"{wanted.get('resource', '')}/{sub}" if sub else wanted.get("resource", "")
    where = (wanted.get("namespace", ""), wanted.get("name", ""))
    return user.may(wanted.get("verb", ""), wanted.get("group", ""), plural, *where)


def _rules(user: User, namespace: str) -> dict[str, Any]:
    """Return the status of a SelfSubjectRulesReview: the rules that hold in a namespace."""
    here = [rule for rule in user.rules if "namespaces" not in rule or namespace in rule["namespaces"]]
    names = ("apiGroups", "resources", "verbs", "resourceNames")
    found = [{name: rule[name] for name in names if name in rule} for rule in here if "resources" in rule]
    return {"resourceRules": found, "nonResourceRules": [], "incomplete": False}


def _whose(api: "Api", spec: dict[str, Any]) -> dict[str, Any]:
    """Return the status of a TokenReview: the ServiceAccount of a token, while both are there."""
    wanted = spec.get("audiences") or [api.issuer]
    found = api.identities.reviewed(str(spec.get("token") or ""), wanted) or {}
    own = found.get("kubernetes.io") or {}
    namespace, name = own.get("namespace", ""), (own.get("serviceaccount") or {}).get("name", "")
    try:
        account = api.operations.get(api.store.by_kind("ServiceAccount"), namespace, name)
    except answers.Refused:
        return {"authenticated": False, "error": "invalid bearer token"}
    user = {
        "username": found["sub"],
        "uid": account["metadata"].get("uid", ""),
        "groups": [
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            "system:authenticated",
        ],
    }
    both = [one for one in wanted if one in tokens.audiences(found)]
    return {"authenticated": True, "user": user, "audiences": both}
