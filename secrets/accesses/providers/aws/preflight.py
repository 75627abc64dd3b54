"""Which of the needed actions an AWS identity has: by real requests that read no value, else by IAM's simulation."""

import contextlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from accesses.providers.base import Entry, Probe
from accesses.setup import policies
from credentials import signing
from credentials.clouds import aws, errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

# What is asked for real, each on one secret; the answer is dropped.
_REAL: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "secretsmanager:DescribeSecret": ("secretsmanager", lambda c, name: c.describe_secret(SecretId=name)),
    "secretsmanager:GetResourcePolicy": (
        "secretsmanager",
        lambda c, name: c.get_resource_policy(SecretId=name),
    ),
    "secretsmanager:ListSecretVersionIds": (
        "secretsmanager",
        lambda c, name: c.list_secret_version_ids(SecretId=name, MaxResults=1),
    ),
}
_LISTING = {"secretsmanager:ListSecrets", "ssm:DescribeParameters"}
_NOT_READ = "Not tried: the console never reads a value. The operator tells after a deploy."
_NARROWED = "Of the names that were listed first, the role is for none, as it should be. The operator tells of each link."


def probe(slug: str, access: "Access | AccessDraft", keys: aws.Keys, entries: list[Entry]) -> list[Probe]:
    """Return a probe for each action of the policy but the one that listed; never asks for a value."""
    region, narrowed = access.configuration["region"], _reach(access)
    wanted = [action for action in policies.ACTIONS[slug] if action not in _LISTING]
    if narrowed is not None:
        entries = [one for one in entries if one.name.lstrip("/").startswith(narrowed)]
        if not entries:
            return [Probe("Read secrets", None, _NARROWED)]
    entries = entries[:1]
    found = {
        action: _asked(action, keys, region, entries) for action in wanted if action in _REAL and entries
    }
    rest = [action for action in wanted if action not in found]
    simulated = _simulated(access, keys, region, rest, entries)
    return [found.get(action) or simulated.get(action) or Probe(action, None, _NOT_READ) for action in wanted]


def _reach(access: "Access | AccessDraft") -> tuple[str, ...] | None:
    """Return what names begin with that a role of ours is for, as far as it is known here; None is all names.

    A role for linked secrets alone is for no prefix: asking it about any other would advise to widen it.
    """
    scope = access.configuration.get("scope", "linked") if access.method == "automatic" else "all"
    if scope == "all":
        return None
    prefixes = access.configuration.get("prefixes", "").split() if scope == "prefixes" else []
    return tuple(prefix.lstrip("/") for prefix in prefixes)


def _asked(action: str, keys: aws.Keys, region: str, entries: list[Entry]) -> Probe:
    service, ask = _REAL[action]
    try:
        with aws.translated(action, region, ""):
            ask(aws.client(service, keys, region, hasty=True), entries[0].reference)
    except errors.PermissionMissing:
        return Probe(
            action, False, "Denied; as it should be if the identity is for other names.", entries[0].name
        )
    except errors.ProviderError as error:
        return Probe(action, None, error.reason)
    return Probe(action, True, "Tried", entries[0].name)


def _simulated(
    access: "Access | AccessDraft", keys: aws.Keys, region: str, actions: list[str], entries: list[Entry]
) -> dict[str, Probe]:
    """Ask IAM what it would say: as the cluster's cloud credential, or as the identity itself."""
    if not actions:
        return {}
    principal = _principal(aws.caller(keys, region, hasty=True).arn)
    own = access.cluster.credential
    ways = [signing.session(own)] if own is not None and own.cloud == "aws" else []
    for way in [*ways, keys]:
        with contextlib.suppress(errors.ProviderError):
            return _simulate(principal, way, region, actions, entries)
    return {}


def _simulate(
    principal: str, keys: aws.Keys, region: str, actions: list[str], entries: list[Entry]
) -> dict[str, Probe]:
    resources = [entry.reference for entry in entries if entry.reference.startswith("arn:")]
    wanted: dict[str, Any] = {"PolicySourceArn": principal, "ActionNames": actions}
    with aws.translated("iam:SimulatePrincipalPolicy", region, ""):
        answer = aws.client("iam", keys, region, hasty=True).simulate_principal_policy(
            **wanted, **({"ResourceArns": resources} if resources else {})
        )
        said = {one["EvalActionName"]: one["EvalDecision"] for one in answer["EvaluationResults"]}
    return {
        action: Probe(action, decision == "allowed", "By IAM's simulation")
        for action, decision in said.items()
    }


def _principal(arn: str) -> str:
    """Return whose policies an identity has: of an assumed role, the role."""
    found = re.fullmatch(r"arn:([\w-]+):sts::(\d+):assumed-role/([^/]+)/.+", arn)
    return f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}" if found else arn
