"""What makes an object valid: a CRD's schema, and the few rules of built-in kinds that matter here."""

import copy
import re
from typing import Any

from sandbox.kubernetes import answers, volumes
from sandbox.kubernetes.resources import Resource

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float),
}  # fmt: skip

WORKLOADS = ("Deployment", "StatefulSet", "CronJob")
# Field names of built-in kinds, so that a misspelt one is refused: path of names → the fields there.
_ENV = {"name", "value", "valueFrom"}
_MOUNT = {
    "name", "readOnly", "recursiveReadOnly", "mountPath", "subPath", "subPathExpr", "mountPropagation",
}  # fmt: skip
_CONTAINER = {
    "name", "image", "command", "args", "workingDir", "ports", "envFrom", "env", "resources", "resizePolicy",
    "restartPolicy", "volumeMounts", "volumeDevices", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle",
    "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "securityContext", "stdin", "stdinOnce",
    "tty",
}  # fmt: skip
_WORKLOAD = {
    "replicas", "selector", "template", "strategy", "minReadySeconds", "revisionHistoryLimit", "paused",
    "progressDeadlineSeconds", "serviceName", "volumeClaimTemplates", "podManagementPolicy", "updateStrategy",
    "persistentVolumeClaimRetentionPolicy", "ordinals",
}  # fmt: skip
_TOP = {
    "Secret": {"data", "stringData", "type", "immutable"},
    "ConfigMap": {"data", "binaryData", "immutable"},
    "Namespace": {"spec", "status"},
    "Deployment": {"spec", "status"},
    "StatefulSet": {"spec", "status"},
    "CronJob": {"spec", "status"},
}


def with_defaults(manifest: dict[str, Any], resource: Resource) -> dict[str, Any]:
    """Return the object with the defaults of its schema written into it."""
    manifest = copy.deepcopy(manifest)
    if resource.schema is not None:
        _default(manifest, resource.schema)
    if resource.kind == "Secret" and "stringData" in manifest:
        import base64

        plain = manifest.pop("stringData") or {}
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        manifest["data"] = (manifest.get("data") or {}) | encoded
    if resource.kind == "Secret":
        manifest.setdefault("type", "Opaque")
    if resource.kind in WORKLOADS:
        volumes.default(_pod_spec(manifest)[0] or {})
    return manifest


def _default(value: Any, schema: Any) -> None:
    if not isinstance(schema, dict):
        return
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for name, inner in known.items():
            if name not in value and "default" in inner:
                value[name] = copy.deepcopy(inner["default"])
        for name in value:
            _default(value[name], known.get(name, schema.get("additionalProperties")))
    elif isinstance(value, list):
        for item in value:
            _default(item, schema.get("items", {}))


def unknown_fields(manifest: dict[str, Any], resource: Resource) -> list[str]:
    """Return the paths of fields that the kind does not have, for example `.spec.provider.awz`."""
    if resource.schema is not None:
        rest = {
            name: value for name, value in manifest.items() if name not in ("apiVersion", "kind", "metadata")
        }
        return list(_unknown(rest, resource.schema, ""))
    if resource.kind not in _TOP:
        return []
    allowed = _TOP[resource.kind] | {"apiVersion", "kind", "metadata"}
    found = [f".{name}" for name in manifest if name not in allowed]
    spec, where = _pod_spec(manifest)
    if resource.kind in ("Deployment", "StatefulSet"):
        found += [f".spec.{name}" for name in manifest.get("spec") or {} if name not in _WORKLOAD]
    for container in (spec or {}).get("containers") or []:
        at = f'{where}.containers[name="{container.get("name")}"]'
        found += [f"{at}.{name}" for name in container if name not in _CONTAINER]
        for env in container.get("env") or []:
            found += [f'{at}.env[name="{env.get("name")}"].{name}' for name in env if name not in _ENV]
        for mount in container.get("volumeMounts") or []:
            of = f'{at}.volumeMounts[mountPath="{mount.get("mountPath")}"]'
            found += [f"{of}.{name}" for name in mount if name not in _MOUNT]
    return found


def _unknown(value: Any, schema: dict[str, Any], path: str) -> Any:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, dict) and ("properties" in schema or schema.get("type") == "object"):
        for name, inner in value.items():
            below = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if isinstance(below, dict):
                yield from _unknown(inner, below, f"{path}.{name}")
            elif not below:
                yield f"{path}.{name}"
    elif isinstance(value, list):
        for item in value:
            yield from _unknown(item, schema.get("items", {}), path)


def check(manifest: dict[str, Any], resource: Resource) -> None:
    """Refuse an invalid object with 422 and every cause.

    :raises answers.Refused: with the API server's words
    """
    name = manifest.get("metadata", {}).get("name", "")
    causes: list[tuple[str, str]] = []
    if len(name) > 253 or not _NAME.match(name):
        causes.append(("metadata.name", f'Invalid value: "{name}": {_RULE}'))
    if resource.schema is not None:
        body = {
            key: value
            for key, value in manifest.items()
            if key not in ("apiVersion", "kind", "metadata", "status")
        }
        causes += list(_problems(body, resource.schema | {"required": _required(resource.schema)}, ""))
    else:
        causes += _workload_problems(manifest, resource)
    if causes:
        raise answers.invalid(resource.kind, resource.group, name, causes)


def _required(schema: dict[str, Any]) -> list[str]:
    return [name for name in schema.get("required", ()) if name not in ("apiVersion", "kind", "metadata")]


def _problems(value: Any, schema: dict[str, Any], path: str) -> Any:
    if schema.get("x-kubernetes-int-or-string"):
        return
    kind = schema.get("type")
    if value is None and schema.get("nullable"):
        return
    if kind in _TYPES and (
        not isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, bool))
    ):
        yield path, f'Invalid value: "{type(value).__name__}": must be of type {kind}'
        return
    yield from _limits(value, schema, path)
    yield from _below(value, schema, path)


def _below(value: Any, schema: dict[str, Any], path: str) -> Any:
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{path}.{name}".lstrip("."), "Required value"
        for name, inner in value.items():
            below = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            if isinstance(below, dict):
                yield from _problems(inner, below, f"{path}.{name}".lstrip("."))
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from _problems(item, schema.get("items", {}), f"{path}[{at}]")


def _limits(value: Any, schema: dict[str, Any], path: str) -> Any:
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(f'"{word}"' for word in schema["enum"])
        yield path, f'Unsupported value: "{value}": supported values: {supported}'
    if isinstance(value, dict):
        most, least = schema.get("maxProperties"), schema.get("minProperties")
        if most is not None and len(value) > most:
            yield path, f"Too many: {len(value)}: must have at most {most} item{'s' if most != 1 else ''}"
        if least is not None and len(value) < least:
            yield path, f"Invalid value: {len(value)}: should have at least {least} properties"
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield path, f"Invalid value: \"{value}\": should match '{schema['pattern']}'"
        if len(value) > schema.get("maxLength", len(value)) or len(value) < schema.get("minLength", 0):
            yield path, f"Invalid value: length {len(value)} is not allowed"


def _pod_spec(manifest: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    spec, where = manifest.get("spec") or {}, ".spec"
    if manifest.get("kind") == "CronJob":
        spec, where = (spec.get("jobTemplate") or {}).get("spec") or {}, ".spec.jobTemplate.spec"
    return (spec.get("template") or {}).get("spec"), f"{where}.template.spec"


def _workload_problems(manifest: dict[str, Any], resource: Resource) -> list[tuple[str, str]]:
    if resource.kind not in WORKLOADS:
        return []
    causes: list[tuple[str, str]] = []
    spec = manifest.get("spec") or {}
    if resource.kind != "CronJob" and not spec.get("selector"):
        causes.append(("spec.selector", "Required value"))
    if resource.kind == "CronJob" and not spec.get("schedule"):
        causes.append(("spec.schedule", "Required value"))
    pod, where = _pod_spec(manifest)
    claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates") or []]
    containers = (pod or {}).get("containers") or []
    if not containers:
        causes.append((f"{where[1:]}.containers", "Required value"))
    for at, container in enumerate(containers):
        if not container.get("image"):
            causes.append((f"{where[1:]}.containers[{at}].image", "Required value"))
    return causes + list(volumes.problems(pod or {}, where[1:], claims))
