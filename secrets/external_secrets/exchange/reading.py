"""An ExternalSecret that somebody else wrote, as what a link of ours would take, and what would be lost."""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime

from clusters.kubernetes import conditions, errors
from external_secrets.exchange import yamls
from external_secrets.models import ExternalSecret

Takes, WhenGone = ExternalSecret.Takes, ExternalSecret.WhenGone
DEFAULT_REFRESH, SHORTEST_REFRESH = 3600, 60
LONGEST_REFRESH = 365 * 24 * 3600

# What plain ESO has no field for: a link of every service of a namespace, and several values as variables.
SCOPE, VARIABLES = "keyhaven.io/scope", "keyhaven.io/variables"

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
# A pattern of names that is none: every name fits.
EVERY_NAME = frozenset({"", ".", ".*", "^.*$", ".+", "^.+$", "^.*", ".*$"})


def text(value: Any, longest: int = 2048) -> str:
    """Return a scalar as text that a column takes, anything else as nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).replace("\x00", "")[:longest]


def mapping(value: Any) -> dict[str, Any]:
    """Return a mapping, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """Return the mappings of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def items(value: Any) -> list[Any]:
    """Return a list, and an empty one for anything else."""
    return value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True, order=True)
class StoreKey:
    """A store by kind and name; a ClusterSecretStore has no namespace."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Reference:
    """One source of values: what it takes from which store, and under which key of the Secret one value stands.

    `problem` says why a link cannot take the same.
    """

    store: StoreKey
    takes: str
    key: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    json_field: str = ""
    version: str = ""
    secret_key: str = ""
    problem: str = ""
    line: int = 0

    def values(self) -> dict[str, Any]:
        """Return it as columns of a link."""
        return {
            "takes": self.takes,
            "key": self.key,
            "tags": dict(self.tags),
            "json_field": self.json_field,
            "version": self.version,
        }

    def __str__(self) -> str:
        words = {
            Takes.VALUE: self.key,
            Takes.KEYS: f"every key of {self.key}",
            Takes.PATH: f"every secret below {self.key}" if self.key else "every secret",
            Takes.TAGS: "every secret tagged " + ", ".join(f"{name}={value}" for name, value in self.tags),
        }[Takes(self.takes)]
        field = f"#{self.json_field}" if self.json_field else ""
        return f"{words}{field}" + (f" ({self.version})" if self.version else "")


@dataclass(frozen=True, slots=True)
class Foreign:
    """An external secret of somebody else.

    `problem` is why nothing of it can be taken over, `notes` what is different afterwards.
    """

    namespace: str
    name: str
    secret: str
    store: StoreKey
    references: tuple[Reference, ...]
    refresh: str
    refresh_seconds: int
    creation: str
    when_gone: str
    problem: str = ""
    notes: tuple[str, ...] = ()
    # As we export it: for every service of the namespace, and the prefix of several variables.
    is_for_namespace: bool = False
    prefix: str | None = None
    manager: str = ""
    # `True`, `False`, or nothing while the operator has not looked at it.
    ready: str = ""
    reason: str = ""
    message: str = ""
    made_at: datetime.datetime | None = None
    refreshed_at: datetime.datetime | None = None
    line: int = 0

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.name}"


def seconds(duration: str) -> float | None:
    """Return the seconds of a duration as Go writes it, such as `1h30m`; None when it is none."""
    if duration == "0":
        return 0.0
    found = _DURATION.findall(duration)
    if not found or "".join(number + unit for number, unit in found) != duration:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in found)


def external_secret(item: dict[str, Any]) -> Foreign:
    """Read an ExternalSecret; whatever it holds, it does not fail."""
    metadata, spec = mapping(item.get("metadata")), mapping(item.get("spec"))
    target = mapping(spec.get("target"))
    namespace, name = text(metadata.get("namespace"), 63) or "default", text(metadata.get("name"), 253)
    store = store_key(spec.get("secretStoreRef"), namespace)
    notes: list[str] = []
    refresh = text(spec.get("refreshInterval"), 40)
    condition = condition_of(item)
    annotations = mapping(metadata.get("annotations"))
    creation = text(target.get("creationPolicy"), 20) or "Owner"
    return Foreign(
        namespace=namespace,
        name=name,
        secret=text(target.get("name"), 253) or name,
        store=store,
        references=tuple(_references(spec, store, namespace)),
        refresh=refresh or "1h",
        refresh_seconds=_refresh(spec, refresh, notes),
        creation=creation,
        when_gone=_when_gone(target, notes),
        problem=_problem(target),
        notes=(*notes, *_notes(spec, target, creation)),
        is_for_namespace=annotations.get(SCOPE) == "namespace",
        prefix=_prefix(annotations),
        manager=manager(metadata),
        ready=text(condition.get("status"), 10),
        reason=text(condition.get("reason"), 80),
        message=errors.redact(text(condition.get("message"))),
        made_at=_moment(metadata.get("creationTimestamp")),
        refreshed_at=_moment(mapping(item.get("status")).get("refreshTime")),
        line=yamls.line_of(item),
    )


def _moment(value: Any) -> datetime.datetime | None:
    try:
        found = parse_datetime(text(value, 40))
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=datetime.UTC)


def _condition(item: dict[str, Any]) -> dict[str, Any]:
    status = mapping(item.get("status"))
    return conditions.ready({"status": {"conditions": mappings(status.get("conditions"))}})


def _prefix(annotations: dict[str, Any]) -> str | None:
    found = annotations.get(VARIABLES)
    return found.removesuffix("*")[:200] if isinstance(found, str) and found.endswith("*") else None


def store_key(reference: Any, namespace: str) -> StoreKey:
    """Return which store a `storeRef` names."""
    found = mapping(reference)
    kind = text(found.get("kind"), 40) or "SecretStore"
    return StoreKey(kind, text(found.get("name"), 253), "" if kind == "ClusterSecretStore" else namespace)


# -- sources ---------------------------------------------------------------------------------------------
def _references(spec: dict[str, Any], store: StoreKey, namespace: str) -> Iterator[Reference]:
    for entry in mappings(spec.get("data")):
        source, problem = _source(entry, store, namespace)
        yield _remote(entry.get("remoteRef"), source, problem, text(entry.get("secretKey"), 253), entry)
    for entry in mappings(spec.get("dataFrom")):
        source, problem = _source(entry, store, namespace)
        if entry.get("rewrite"):
            problem = problem or "It rewrites the names of keys, which a link does not."
        if "find" in entry:
            yield _found(mapping(entry["find"]), source, problem, entry)
        else:
            yield _remote(entry.get("extract"), source, problem, "", entry)


def _source(entry: dict[str, Any], store: StoreKey, namespace: str) -> tuple[StoreKey, str]:
    source = mapping(entry.get("sourceRef"))
    if source.get("generatorRef"):
        return store, "A generator makes it; a link only reads what is in a secret manager."
    return (store_key(source["storeRef"], namespace), "") if source.get("storeRef") else (store, "")


def _remote(
    reference: Any, store: StoreKey, problem: str, secret_key: str, entry: dict[str, Any]
) -> Reference:
    """Read a `remoteRef`, or the `extract` of several values when no key of the Secret is given."""
    found = mapping(reference)
    key = text(found.get("key"))
    return Reference(
        store=store,
        takes=Takes.VALUE if secret_key else Takes.KEYS,
        key=key,
        json_field=text(found.get("property"), 300),
        version=text(found.get("version"), 100),
        secret_key=secret_key,
        problem=problem or ("" if key else "It names no secret.") or _treated(found),
        line=yamls.line_of(entry),
    )


def _treated(found: dict[str, Any]) -> str:
    """Return why what is done to a value on the way cannot be kept, or nothing."""
    if (how := text(found.get("decodingStrategy"), 20)) not in ("", "None"):
        return f"It decodes the value ({how}), which a link does not."
    if text(found.get("metadataPolicy"), 20) == "Fetch":
        return "It reads the secret's metadata, not its value."
    return ""


def _found(find: dict[str, Any], store: StoreKey, problem: str, entry: dict[str, Any]) -> Reference:
    path = text(find.get("path"))
    tags = tuple(sorted((str(name)[:128], text(value, 256)) for name, value in mapping(find.get("tags")).items()))
    pattern = text(mapping(find.get("name")).get("regexp"), 500)
    if pattern not in EVERY_NAME:
        problem = problem or f"It takes the names that fit the pattern {pattern}; a link takes a path or tags."
    if path and tags:
        problem = problem or "It takes a path and tags at once; a link takes one of them."
    line = yamls.line_of(entry)
    takes = Takes.TAGS if tags else Takes.PATH
    return Reference(store, takes, "" if tags else path, tags, problem=problem or _treated(find), line=line)


# -- the rest of the spec --------------------------------------------------------------------------------
def _refresh(spec: dict[str, Any], refresh: str, notes: list[str]) -> int:
    policy = text(spec.get("refreshPolicy"), 20)
    found = seconds(refresh) if refresh else float(DEFAULT_REFRESH)
    if policy in ("CreatedOnce", "OnChange") or found == 0:
        notes.append("It is read once; the link is read again every hour.")
        return DEFAULT_REFRESH
    if found is None:
        notes.append(f"Its refresh interval {refresh} is no duration; the link is read every hour.")
        return DEFAULT_REFRESH
    if found < SHORTEST_REFRESH:
        notes.append(f"It is read every {refresh}; the link is read every minute.")
    return int(min(max(found, SHORTEST_REFRESH), LONGEST_REFRESH))


def _when_gone(target: dict[str, Any], notes: list[str]) -> str:
    found = text(target.get("deletionPolicy"), 20)
    if found in WhenGone.values or not found:
        return found or WhenGone.RETAIN
    notes.append(f"Its deletion policy {found} is unknown; the link keeps the last value.")
    return WhenGone.RETAIN


def _problem(target: dict[str, Any]) -> str:
    template = mapping(target.get("template"))
    if template.get("data") or template.get("templateFrom"):
        return "A template makes its values; a link brings them as they are."
    if target.get("manifest"):
        return "It writes another kind than a Secret."
    return ""


def _notes(spec: dict[str, Any], target: dict[str, Any], creation: str) -> Iterator[str]:
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
    labels, notes = mapping(metadata.get("labels")), mapping(metadata.get("annotations"))
    told = (
        ("Helm release", notes.get("meta.helm.sh/release-name")),
        ("Argo CD", text(notes.get("argocd.argoproj.io/tracking-id")).partition(":")[0]),
        ("Argo CD", labels.get("argocd.argoproj.io/instance")),
        ("Flux", labels.get("kustomize.toolkit.fluxcd.io/name") or labels.get("helm.toolkit.fluxcd.io/name")),
    )
    for word, name in told:
        if name:
            return f"{word} {text(name, 253)}"
    for owner in mappings(metadata.get("ownerReferences")):
        return f"{text(owner.get('kind'), 63)} {text(owner.get('name'), 253)}"
    if labels.get("app.kubernetes.io/managed-by"):
        return text(labels["app.kubernetes.io/managed-by"], 63)
    names = [
        text(one.get("manager"), 128)
        for one in mappings(metadata.get("managedFields"))
        if not one.get("subresource")
    ]
    return next((name for name in names if name and not name.startswith("external-secrets")), "")
