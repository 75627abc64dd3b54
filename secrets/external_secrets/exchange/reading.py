"""An ExternalSecret that somebody else wrote, as what a link of ours would take, and what would be lost."""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime

from clusters.kubernetes import conditions, errors
from external_secrets import manifests
from external_secrets.exchange import losses, yamls
from external_secrets.exchange.plain import mapping, mappings, text
from external_secrets.models import ExternalSecret

Takes = ExternalSecret.Takes

# What plain ESO has no field for: a link of every service of a namespace, and several values as variables.
SCOPE, VARIABLES = "keyhaven.io/scope", "keyhaven.io/variables"

# A pattern of names that is none: every name fits.
_BEGINNING = re.compile(r"\^((?:[\w/@+=,-]|\\[^\w])+)(?:\.\*)?")
_ESCAPED = re.compile(r"\\([*?|#@!{}\[\]()=<>%~])")
EVERY_NAME = frozenset({"", ".", ".*", "^.*$", ".+", "^.+$", "^.*", ".*$"})


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
        refresh_seconds=losses.refresh(spec, refresh, notes),
        creation=creation,
        when_gone=losses.when_gone(target, notes),
        problem=losses.problem(target),
        notes=(*notes, *losses.notes(spec, target, creation)),
        is_for_namespace=annotations.get(SCOPE) == "namespace",
        prefix=_prefix(annotations),
        manager=losses.manager(metadata),
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


def condition_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object's Ready condition, empty when there is none."""
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
        json_field=_field(found),
        version=text(found.get("version"), 100),
        secret_key=secret_key,
        problem=problem or ("" if key else "It names no secret.") or _treated(found),
        line=yamls.line_of(entry),
    )


def _field(found: dict[str, Any]) -> str:
    """Return the JSON field of a `property`, which says by a backslash what is meant literally."""
    return _ESCAPED.sub(r"\1", text(found.get("property")))[:300]


def _treated(found: dict[str, Any]) -> str:
    """Return why what is done to a value on the way cannot be kept, or nothing."""
    if (how := text(found.get("decodingStrategy"), 20)) not in ("", "None"):
        return f"It decodes the value ({how}), which a link does not."
    if text(found.get("metadataPolicy"), 20) == "Fetch":
        return "It reads the secret's metadata, not its value."
    written = text(found.get("property"))
    if manifests.gjson(_field(found)) != written:
        return f"{written[:200]} is a query; a link takes one JSON field."
    return ""


def _found(find: dict[str, Any], store: StoreKey, problem: str, entry: dict[str, Any]) -> Reference:
    path = text(find.get("path"))
    tags = tuple(
        sorted((str(name)[:128], text(value, 256)) for name, value in mapping(find.get("tags")).items())
    )
    pattern = text(mapping(find.get("name")).get("regexp"), 500)
    beginning = _BEGINNING.fullmatch(pattern)
    start = re.sub(r"\\(.)", r"\1", beginning[1]) if beginning else ""
    if beginning and (not path or start.rstrip("/") == path.rstrip("/")):
        # A pattern that is the beginning of a name: as our own links say it.
        path = path or start
    elif pattern not in EVERY_NAME:
        problem = (
            problem or f"It takes the names that fit the pattern {pattern}; a link takes a path or tags."
        )
    if path and tags:
        problem = problem or "It takes a path and tags at once; a link takes one of them."
    line = yamls.line_of(entry)
    takes = Takes.TAGS if tags else Takes.PATH
    return Reference(store, takes, "" if tags else path, tags, problem=problem or _treated(find), line=line)
