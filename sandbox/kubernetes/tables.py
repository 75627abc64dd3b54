"""What `kubectl get` prints: a Table of columns per kind."""

import datetime
from collections.abc import Callable
from typing import Any

from sandbox.kubernetes.resources import Resource

type Manifest = dict[str, Any]


def age(manifest: Manifest) -> str:
    """Return an object's age as kubectl writes it, for example `4m12s`."""
    made = datetime.datetime.fromisoformat(
        manifest["metadata"].get("creationTimestamp", "1970-01-01T00:00:00Z")
    )
    seconds = int((datetime.datetime.now(datetime.UTC) - made).total_seconds())
    if seconds < 120:
        return f"{max(0, seconds)}s"
    if seconds < 7200:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h" if seconds < 172800 else f"{seconds // 86400}d"


def _ready(manifest: Manifest) -> str:
    wanted = manifest.get("spec", {}).get("replicas", 1)
    return f"{manifest.get('status', {}).get('readyReplicas', 0)}/{wanted}"


BUILT_IN: dict[str, list[tuple[str, Callable[[Manifest], Any]]]] = {
    "Deployment": [
        ("Ready", _ready),
        ("Up-to-date", lambda m: m.get("status", {}).get("updatedReplicas", 0)),
        ("Available", lambda m: m.get("status", {}).get("availableReplicas", 0)),
    ],
    "StatefulSet": [("Ready", _ready)],
    "CronJob": [("Schedule", lambda m: m.get("spec", {}).get("schedule", ""))],
    "Secret": [("Type", lambda m: m.get("type", "")), ("Data", lambda m: len(m.get("data") or {}))],
    "ConfigMap": [("Data", lambda m: len(m.get("data") or {}))],
    "Namespace": [("Status", lambda m: m.get("status", {}).get("phase", "Active"))],
    "Node": [
        ("Status", lambda m: "Ready"),
        ("Version", lambda m: m.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", "")),
    ],
    "Event": [
        ("Type", lambda m: m.get("type", "")),
        ("Reason", lambda m: m.get("reason", "")),
        (
            "Object",
            lambda m: f"{m['involvedObject'].get('kind', '').lower()}/{m['involvedObject'].get('name', '')}",
        ),
        ("Message", lambda m: m.get("message", "")),
    ],
}


def value_at(manifest: Manifest, path: str) -> Any:
    """Return what a printer column's simple JSON path points at, or an empty string."""
    value: Any = manifest
    for part in (
        path.strip(".").replace(")]", ")]|").replace("[?(@.type==", "|?").replace(")]|", "|").split("|")
    ):
        if part.startswith("?"):
            wanted = part[1:].strip("\"'")
            value = next((c for c in value or [] if c.get("type") == wanted), None)
            continue
        for name in part.strip(".").split("."):
            value = value.get(name) if isinstance(value, dict) and name else value
    return "" if value is None or isinstance(value, dict | list) else value


def columns(resource: Resource) -> list[tuple[str, Callable[[Manifest], Any], str]]:
    """Return (name, value of, type) for each column of a kind; the first is its name, the last its age."""
    found: list[tuple[str, Callable[[Manifest], Any], str]] = [
        ("Name", lambda m: m["metadata"]["name"], "string")
    ]
    found += [(name, value, "string") for name, value in BUILT_IN.get(resource.kind, [])]
    for column in resource.columns:
        path = column["jsonPath"]
        if path == ".metadata.creationTimestamp" or column.get("priority"):
            continue
        found.append((column["name"], lambda m, path=path: value_at(m, path), "string"))  # type: ignore[misc]
    return [*found, ("Age", age, "string")]


def table(resource: Resource, manifests: list[Manifest], revision: int) -> Manifest:
    """Return the Table that kubectl asks for."""
    wanted = columns(resource)
    definitions = [
        {
            "name": name,
            "type": kind,
            "format": "name" if name == "Name" else "",
            "description": "",
            "priority": 0,
        }
        for name, _, kind in wanted
    ]
    rows = [
        {
            "cells": [value(manifest) for _, value, _ in wanted],
            "object": {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": manifest["metadata"],
            },
        }
        for manifest in manifests
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": str(revision)},
        "columnDefinitions": definitions,
        "rows": rows,
    }


def metadata_only(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an object, or a list of objects, without anything but metadata."""
    if answer.get("kind") == "Status":
        return answer
    if "items" in answer:
        items = [metadata_only(item) for item in answer["items"]]
        return {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"} | {
            "metadata": answer["metadata"], "items": items,
        }  # fmt: skip
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": answer["metadata"]}
