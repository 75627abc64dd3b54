"""What of an ExternalSecret a link has in another way, or not at all, and who looks after the object."""

import re
from collections.abc import Iterator
from typing import Any

from external_secrets.exchange.plain import mapping, mappings, text
from external_secrets.models import ExternalSecret

WhenGone = ExternalSecret.WhenGone
DEFAULT_REFRESH, SHORTEST_REFRESH = 3600, 60
LONGEST_REFRESH = 365 * 24 * 3600
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(duration: str) -> float | None:
    """Return the seconds of a duration as Go writes it, such as `1h30m`; None when it is none."""
    if duration == "0":
        return 0.0
    found = _DURATION.findall(duration)
    if not found or "".join(number + unit for number, unit in found) != duration:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in found)


def refresh(spec: dict[str, Any], written: str, told: list[str]) -> int:
    """Return how often a link would be read, in seconds; tell in `told` what is different."""
    policy = text(spec.get("refreshPolicy"), 20)
    found = seconds(written) if written else float(DEFAULT_REFRESH)
    if policy in ("CreatedOnce", "OnChange") or found == 0:
        told.append("It is read once; the link is read again every hour.")
        return DEFAULT_REFRESH
    if found is None:
        told.append(f"Its refresh interval {written} is no duration; the link is read every hour.")
        return DEFAULT_REFRESH
    if found < SHORTEST_REFRESH:
        told.append(f"It is read every {written}; the link is read every minute.")
    return int(min(max(found, SHORTEST_REFRESH), LONGEST_REFRESH))


def when_gone(target: dict[str, Any], told: list[str]) -> str:
    """Return the deletion policy as a link has it; tell in `told` what is different."""
    found = text(target.get("deletionPolicy"), 20)
    if found in WhenGone.values or not found:
        return found or WhenGone.RETAIN
    told.append(f"Its deletion policy {found} is unknown; the link keeps the last value.")
    return WhenGone.RETAIN


def problem(target: dict[str, Any]) -> str:
    """Return why nothing of it can be taken over, or nothing."""
    template = mapping(target.get("template"))
    if template.get("data") or template.get("templateFrom"):
        return "A template makes its values; a link brings them as they are."
    if target.get("manifest"):
        return "It writes another kind than a Secret."
    return ""


def notes(spec: dict[str, Any], target: dict[str, Any], creation: str) -> Iterator[str]:
    """Yield what a link does not keep."""
    template = mapping(target.get("template"))
    kind = text(template.get("type"), 80)
    if kind not in ("", "Opaque"):
        yield f"Its Secret is of the type {kind}; the link's is Opaque."
    if template.get("metadata"):
        yield "The labels and annotations of its Secret are not kept."
    if creation != "Owner":
        yield f"Its creation policy is {creation}; the link has a Secret of its own."
    if target.get("immutable"):
        yield "Its Secret is immutable; the link's is not."
    if spec.get("syncWindows"):
        yield "Its sync windows are not kept; the link is read at all times."


def manager(metadata: dict[str, Any]) -> str:
    """Return who manages an object, as far as it shows."""
    labels, annotations = mapping(metadata.get("labels")), mapping(metadata.get("annotations"))
    told = (
        ("Helm release", annotations.get("meta.helm.sh/release-name")),
        ("Argo CD", text(annotations.get("argocd.argoproj.io/tracking-id")).partition(":")[0]),
        ("Argo CD", labels.get("argocd.argoproj.io/instance")),
        ("Flux", labels.get("kustomize.toolkit.fluxcd.io/name") or labels.get("helm.toolkit.fluxcd.io/name")),
    )
    for word, name in told:
        if name:
            return f"{word} {text(name, 253)}"
    for owner in mappings(metadata.get("ownerReferences")):
        return f"{text(owner.get('kind'), 63)} {text(owner.get('name'), 253)}"
    if labels.get("app.kubernetes.io/managed-by") == "keyhaven":
        return "Another Keyhaven"
    if labels.get("app.kubernetes.io/managed-by"):
        return text(labels["app.kubernetes.io/managed-by"], 63)
    names = [
        text(one.get("manager"), 128)
        for one in mappings(metadata.get("managedFields"))
        if not one.get("subresource")
    ]
    return next((name for name in names if name and not name.startswith("external-secrets")), "")
