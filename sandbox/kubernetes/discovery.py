"""What the server says of itself: version, groups, kinds, and just enough OpenAPI for kubectl's checks."""

from typing import Any

from sandbox.kubernetes.resources import Resource


def version(name: str) -> dict[str, str]:
    """Return /version."""
    return {
        "major": "1",
        "minor": "36",
        "gitVersion": name,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-08-01T00:00:00Z",
        "goVersion": "go1.26",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def groups(resources: list[Resource]) -> dict[str, Any]:
    """Return the APIGroupList."""
    found: dict[str, list[str]] = {}
    for resource in resources:
        if resource.group and resource.version not in found.setdefault(resource.group, []):
            found[resource.group].append(resource.version)
    entries = []
    for group, versions in sorted(found.items()):
        listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in sorted(versions)]
        entries.append({"name": group, "versions": listed, "preferredVersion": listed[0]})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": entries}


def resource_list(resources: list[Resource], group: str, version: str) -> dict[str, Any]:
    """Return the APIResourceList of one group and version."""
    entries = [e for r in resources if (r.group, r.version) == (group, version) for e in r.discovery()]
    if (group, version) == ("", "v1"):
        entries.append(
            {
                "name": "serviceaccounts/token",
                "singularName": "",
                "namespaced": True,
                "group": "authentication.k8s.io",
                "version": "v1",
                "kind": "TokenRequest",
                "verbs": ["create"],
            }
        )
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": entries}


def openapi_index(resources: list[Resource]) -> dict[str, Any]:
    """Return /openapi/v3: a document per group and version."""
    names = {f"apis/{r.group}/{r.version}" if r.group else f"api/{r.version}" for r in resources}
    return {
        "paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}?hash=sandbox"} for name in sorted(names)}
    }


def openapi(resources: list[Resource], group: str, version: str) -> dict[str, Any]:
    """Return one OpenAPI v3 document: paths whose PATCH takes dryRun and fieldValidation, and untyped schemas."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for resource in resources:
        if (resource.group, resource.version) != (group, version):
            continue
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        within = "/namespaces/{namespace}" if resource.namespaced else ""
        gvk = {"group": group, "version": version, "kind": resource.kind}
        query = [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for name in ("dryRun", "fieldManager", "fieldValidation", "force")
        ]
        operation = {
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": gvk,
            "parameters": query,
            "responses": {"200": {"description": "OK"}},
        }
        paths[f"{root}{within}/{resource.plural}/{{name}}"] = {"patch": operation}
        schemas[f"{resource.kind}.{version}.{group or 'core'}"] = {
            "type": "object",
            "x-kubernetes-group-version-kind": [gvk],
        }
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.2"},
        "paths": paths,
        "components": {"schemas": schemas},
    }
