"""What Roles and bindings in the cluster give, and that nobody gives away what they do not hold."""

from typing import Any

from sandbox.kubernetes import answers
from sandbox.kubernetes.identity import Identities, User
from sandbox.kubernetes.store import Manifest, Store

GROUP = "rbac.authorization.k8s.io"
type Rules = list[dict[str, Any]]

# Every cluster lets ServiceAccounts read who signs their tokens.
ISSUER = {
    "nonResourceURLs": ["/openid/v1/jwks", "/.well-known/openid-configuration"],
    "verbs": ["get"],
}


def account(store: Store, claims: dict[str, Any]) -> User:
    """Return the user that a ServiceAccount is, with the rights that it has now.

    :raises answers.Refused: 401, it is gone
    """
    about = claims["kubernetes.io"]
    namespace, name = about["namespace"], about["serviceaccount"]["name"]
    live = store.find(("", "serviceaccounts", namespace, name))
    if live is None or live["metadata"]["uid"] != about["serviceaccount"]["uid"]:
        raise answers.UNAUTHORIZED
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(claims["sub"], [ISSUER, *bound(store, claims["sub"], groups)], groups)


def bound(store: Store, user: str, groups: tuple[str, ...] = ()) -> Rules:
    """Return the rules that the bindings in the cluster give to a user, each with the namespaces in which it holds."""
    with store.lock:
        bindings = [
            (key, item)
            for key, item in store.objects.items()
            if key[0] == GROUP and key[1].endswith("bindings")
        ]
    rules: Rules = []
    for key, item in bindings:
        if any(_is(subject, user, groups) for subject in item.get("subjects") or []):
            rules += _within(_rules_of(store, item["roleRef"], key[2]), key[2])
    return rules


def _is(subject: Manifest, user: str, groups: tuple[str, ...]) -> bool:
    match subject.get("kind"):
        case "ServiceAccount":
            return user == f"system:serviceaccount:{subject.get('namespace')}:{subject.get('name')}"
        case "User":
            return user == subject.get("name")
        case "Group":
            return subject.get("name") in groups
    return False


def _rules_of(store: Store, ref: Manifest, namespace: str) -> Rules:
    plural, space = ("clusterroles", "") if ref["kind"] == "ClusterRole" else ("roles", namespace)
    found = store.find((GROUP, plural, space, ref["name"]))
    return list((found or {}).get("rules") or [])


def _within(rules: Rules, namespace: str) -> Rules:
    return [rule | {"namespaces": [namespace]} for rule in rules] if namespace else rules


def require_more(store: Store, identities: Identities, call: Any, user: User) -> None:
    """Refuse an apply that would make an object without the right to, and giving away what one does not hold.

    :raises answers.Refused: 403
    """
    resource = call.resource
    if call.method == "PATCH" and "apply-patch" in call.content and not call.sub:
        space = call.namespace if resource.namespaced else ""
        if store.find((resource.group, resource.plural, space, call.name)) is None:
            identities.require(user, "create", resource.group, call.plural, call.namespace, call.name)
    if resource.group == GROUP and call.method in ("POST", "PUT", "PATCH"):
        _check_giving(store, user, call.plural, call.namespace, call.name, call.body or {})


def _check_giving(store: Store, user: User, plural: str, namespace: str, name: str, body: Manifest) -> None:
    """Refuse who would give away more than they hold: a role takes `escalate` or its rules, a binding `bind` or them.

    As in a real cluster, a request that names no object, such as a POST, is not covered by rules with names.

    :raises answers.Refused: 403
    """
    if plural in ("roles", "clusterroles"):
        rules, verb, asked, about = body.get("rules") or [], "escalate", plural, name
    else:
        ref = body.get("roleRef")
        if not ref:
            return
        rules, verb, about = _rules_of(store, ref, namespace), "bind", ref["name"]
        asked = "clusterroles" if ref["kind"] == "ClusterRole" else "roles"
    if user.may(verb, GROUP, asked, namespace, about):
        return
    for rule in rules:
        if not _holds(user, rule, namespace):
            message = f"user {user.name!r} is attempting to grant RBAC permissions not currently held: {rule}"
            raise answers.Refused(403, "Forbidden", f"{plural}.{GROUP} {name!r} is forbidden: {message}")


def _holds(user: User, rule: dict[str, Any], namespace: str) -> bool:
    return all(
        user.may(verb, group, plural, namespace, name)
        for verb in rule.get("verbs") or []
        for group in rule.get("apiGroups") or []
        for plural in rule.get("resources") or []
        for name in rule.get("resourceNames") or [""]
    )
