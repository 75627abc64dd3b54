"""The manifest of our own ServiceAccount: what it may do is the list of needs, each rule with its reasons."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clusters import permissions
from clusters.permissions import Need, Part

FILE = "keyhaven-cluster.yaml"
NAME = "keyhaven"
NAMESPACE = "keyhaven"
DURATION = "1h"

ABOUT = {
    Part.READ: "Looking at what runs and what is in step. It changes nothing and reads no value of a Secret.",
    Part.DEPLOY: "Deploying: stores, external secrets, and the variables of services.",
    Part.INSTALL: (
        "Installing, upgrading and uninstalling the External Secrets Operator. Whoever has it can give itself every right, "
        "because the operator's role holds more than Keyhaven's. Leave it out where somebody else installs the operator, "
        "or delete its bindings once the operator is there."
    ),
}
RENEWING = "Renewing its own token, so that the one in the kubeconfig can be short-lived."
# What a rule brings with it that its words do not say.
WARNINGS = {
    ("create", "serviceaccounts/token"): (
        "It covers the operator's own ServiceAccount, too. Without it names are typed instead of browsed where an access "
        "signs in without keys."
    ),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What somebody chose: the operator's namespace, and which parts are given."""

    namespace: str = "external-secrets"
    operator: bool = True
    renew: bool = True
    # Instead of a ServiceAccount of our own: a user or a group, as the cluster's cloud names who signs in.
    user: str = ""
    group: str = ""

    @property
    def own(self) -> bool:
        """Whether the manifest makes a ServiceAccount, which may renew its token."""
        return not (self.user or self.group)

    @property
    def subject(self) -> str:
        """Who gets the roles, as a line of YAML."""
        if self.own:
            return f"{{kind: ServiceAccount, name: {NAME}, namespace: {NAMESPACE}}}"
        kind, name = ("User", self.user) if self.user else ("Group", self.group)
        return f"{{kind: {kind}, name: {json.dumps(name)}, apiGroup: {permissions.RBAC}}}"

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(part for part in Part if self.operator or part != Part.INSTALL)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: verbs on a resource with the reason of each; `namespace` is empty for a rule of the whole cluster."""

    part: str
    group: str
    resource: str
    names: tuple[str, ...]
    namespace: str
    reasons: tuple[tuple[str, str], ...]

    @property
    def verbs(self) -> tuple[str, ...]:
        return tuple(verb for verb, _ in self.reasons)

    @property
    def what(self) -> str:
        """The resource with its group, as `kubectl` names it."""
        return self.resource + (f".{self.group}" if self.group else "")

    @property
    def told(self) -> list[tuple[str, str]]:
        """The reasons, each once, with the verbs that it is for; and what a rule brings with it besides."""
        found: dict[str, list[str]] = {}
        for verb, reason in self.reasons:
            found.setdefault(reason, []).append(verb)
        told = [(", ".join(verbs), reason) for reason, verbs in found.items()]
        warned = [WARNINGS[verb, self.resource] for verb in self.verbs if (verb, self.resource) in WARNINGS]
        return told + [("mind", text) for text in warned]


RENEW = Rule(
    "renew its token",
    "",
    "serviceaccounts/token",
    (NAME,),
    NAMESPACE,
    (("create", "renewing its own token"),),
)


def rules(options: Options) -> list[Rule]:
    """Return the rules that are given, needs for the same objects together."""
    found: dict[tuple[str, str, str, tuple[str, ...], str], list[Need]] = {}
    for need in permissions.NEEDS:
        if need.part in options.parts:
            where = options.namespace if need.in_operator_namespace else ""
            key = (need.part, need.group, need.resource, need.named(options.namespace), where)
            found.setdefault(key, []).append(need)
    made = [Rule(*key, tuple((need.verb, need.needed_for) for need in needs)) for key, needs in found.items()]
    return [*made, RENEW] if options.renew and options.own else made


def text(options: Options) -> str:
    """Return the manifest as YAML, for `kubectl apply`; nothing in it is secret."""
    return "---\n".join("\n".join(document) + "\n" for document in _documents(options))


def _documents(options: Options) -> Iterator[list[str]]:
    yield [
        "# What Keyhaven may do in this cluster: the least that it needs, and each rule says what for.",
        "# A part that is not wanted can be deleted with its binding.",
        f"# Who gets it: {options.subject}",
    ]
    if options.own:
        yield _object("v1", "Namespace", NAMESPACE)
    if options.namespace != NAMESPACE or not options.own:
        yield [
            "# The operator's namespace, which some rules are about.",
            "apiVersion: v1",
            "kind: Namespace",
            f"metadata: {{name: {options.namespace}}}",
        ]
    if options.own:
        yield [
            *_object("v1", "ServiceAccount", NAME, NAMESPACE),
            "# No pod runs as it.",
            "automountServiceAccountToken: false",
        ]
    found = rules(options)
    for part in options.parts:
        yield from _part(part, [rule for rule in found if rule.part == part], options)
    if RENEW in found:
        yield from _role(f"{NAME}-renew", RENEWING, [RENEW], NAMESPACE, options)


def _part(part: Part, found: list[Rule], options: Options) -> Iterator[list[str]]:
    name = f"{NAME}-{part.value.replace(' ', '-')}"
    yield from _role(name, ABOUT[part], [rule for rule in found if not rule.namespace], "", options)
    yield from _role(
        name, ABOUT[part], [rule for rule in found if rule.namespace], options.namespace, options
    )


def _role(name: str, about: str, found: list[Rule], namespace: str, options: Options) -> Iterator[list[str]]:
    """Yield a role and its binding, of a namespace or of the whole cluster; nothing for no rules."""
    if not found:
        return
    kind, api = ("Role" if namespace else "ClusterRole"), f"{permissions.RBAC}/v1"
    listed = [line for rule in found for line in _rule(rule)]
    yield [f"# {about}", *_object(api, kind, name, namespace), "rules:", *listed]
    yield [
        *_object(api, f"{kind}Binding", name, namespace),
        f"roleRef: {{apiGroup: {permissions.RBAC}, kind: {kind}, name: {name}}}",
        "subjects:",
        f"  - {options.subject}",
    ]


def _rule(rule: Rule) -> list[str]:
    lines = [f"  # {verbs}: {reason}" for verbs, reason in rule.told]
    lines.append(f"  - apiGroups: {_list([rule.group])}")
    lines.append(f"    resources: {_list([rule.resource])}")
    if rule.names:
        lines.append(f"    resourceNames: {_list(rule.names)}")
    return [*lines, f"    verbs: {_list(rule.verbs)}"]


def _list(values: Iterable[str]) -> str:
    return json.dumps(list(values))


def _object(api_version: str, kind: str, name: str, namespace: str = "") -> list[str]:
    where = f", namespace: {namespace}" if namespace else ""
    labels = "labels: {app.kubernetes.io/managed-by: keyhaven}"
    return [f"apiVersion: {api_version}", f"kind: {kind}", f"metadata: {{name: {name}{where}, {labels}}}"]
