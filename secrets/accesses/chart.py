"""The operator's chart: where it is, and the values that we set, each with why. The operator's page shows the same."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

from clusters import addons

RELEASE = "external-secrets"
# On everything that our own release makes: who finds it again knows that nobody else looks after it.
OURS = "keyhaven.io/installed"
POLICY, KEEP = "helm.sh/resource-policy", "keep"

_SMALL = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}
_UNUSED = "Keyhaven makes none of these; what is off cannot be misused."
_LIMITS = "The chart sets no limits."


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the chart by its dotted path, and why it is not the chart's own."""

    path: str
    value: Any
    why: str

    @property
    def shown(self) -> str:
        """The value as one line of YAML."""
        text = yaml.safe_dump(self.value, default_flow_style=True, sort_keys=False, width=1000)
        return text.removesuffix("\n").removesuffix("\n...")


SET: tuple[Value, ...] = (
    Value("commonLabels", {OURS: "true"}, "By it Keyhaven knows its own operator; it changes no other."),
    Value(
        "crds.annotations",
        {POLICY: KEEP},
        "Without it, uninstalling the chart would delete every store, external secret and synced Secret.",
    ),
    Value("concurrent", 5, "So many external secrets are read at once; the chart reads one after the other."),
    Value("rbac.aggregateToEdit", False, "Else everybody who may edit a namespace may make stores."),
    Value("processClusterExternalSecret", False, _UNUSED),
    Value("processPushSecret", False, _UNUSED),
    Value("processClusterPushSecret", False, _UNUSED),
    Value("processClusterGenerator", False, _UNUSED),
    Value(
        "resources", {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}, _LIMITS
    ),
    Value("webhook.resources", _SMALL, _LIMITS),
    Value("certController.resources", _SMALL, _LIMITS),
    Value("metrics.service.enabled", True, "Monitoring can read what the operator counts."),
)


# Where the operator's pod asks in place of AWS: one setting for all of its stores.
ENDPOINTS = ("AWS_SECRETSMANAGER_ENDPOINT", "AWS_SSM_ENDPOINT", "AWS_STS_ENDPOINT")


def endpoints(endpoint: str) -> Value:
    """Return the value that leads every AWS store of a cluster to another endpoint."""
    return Value(
        "extraEnv",
        [{"name": name, "value": endpoint} for name in ENDPOINTS],
        "The AWS-compatible endpoint of this cluster. It holds for every AWS store of the operator.",
    )


def set_for(endpoint: str) -> tuple[Value, ...]:
    """Return the values for a cluster with such an AWS-compatible endpoint, or with none."""
    return (*SET, endpoints(endpoint)) if endpoint else SET


def values(endpoint: str = "") -> dict[str, Any]:
    """Return what Helm is given."""
    found: dict[str, Any] = {}
    for one in set_for(endpoint):
        *above, last = one.path.split(".")
        place = found
        for name in above:
            place = place.setdefault(name, {})
        place[last] = one.value
    return found


def location(version: str) -> str:
    """Return where a version of the chart is: OPERATOR_CHART, in which `{version}` may stand.

    :raises StepFailed: it is a folder with another version; Helm would take it without a word
    """
    where = str(settings.OPERATOR_CHART).replace("{version}", version)
    found = _version_in(Path(where) / "Chart.yaml")
    if found not in ("", version):
        raise addons.StepFailed(
            f"OPERATOR_CHART is a folder with the chart {found}, and {version} is to be installed.",
            "Keep one folder or file for each version, and write {version} into OPERATOR_CHART.",
        )
    return where


def _version_in(file: Path) -> str:
    with contextlib.suppress(OSError, ValueError, yaml.YAMLError):
        content = yaml.safe_load(file.read_text())
        return str(content.get("version", "")) if isinstance(content, dict) else ""
    return ""
