"""Documents that somebody pasted, as what external secrets, stores and workloads they hold; every mistake has its line."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from clusters.kubernetes.workloads import KINDS
from external_secrets.exchange import plain, planning, reading, stores, uses, yamls
from external_secrets.exchange.reading import Foreign, Reference, StoreKey
from external_secrets.exchange.stores import Store
from external_secrets.exchange.yamls import Map, Mistake

API = "external-secrets.io/v1"
WORKLOADS = {kind: api_version for api_version, kind in KINDS}
STORES = ("ClusterSecretStore", "SecretStore")
MOST_MISTAKES = 50


class Any_:
    """Whatever stands there is not looked at."""


class Texts:
    """A mapping of text to text."""


ANYTHING, TEXTS = Any_(), Texts()
type Shape = type | Any_ | Texts | dict[str, Any] | list[Any]

_STORE_REF = {"kind": str, "name": str}
_SOURCE_REF = {"storeRef": _STORE_REF, "generatorRef": ANYTHING}
_REMOTE = {
    "key": str, "property": str, "version": str, "metadataPolicy": str, "decodingStrategy": str,
    "conversionStrategy": str, "nullBytePolicy": str,
}  # fmt: skip
_FIND = {
    "name": {"regexp": str}, "path": str, "tags": TEXTS, "conversionStrategy": str, "decodingStrategy": str,
    "nullBytePolicy": str,
}  # fmt: skip
_METADATA = {
    "name": str, "namespace": str, "labels": TEXTS, "annotations": TEXTS, "creationTimestamp": ANYTHING,
    "generation": ANYTHING, "managedFields": ANYTHING, "ownerReferences": ANYTHING, "resourceVersion": ANYTHING,
    "uid": ANYTHING, "finalizers": ANYTHING, "selfLink": ANYTHING,
}  # fmt: skip
EXTERNAL_SECRET: Shape = {
    "apiVersion": str,
    "kind": str,
    "metadata": _METADATA,
    "status": ANYTHING,
    "spec": {
        "refreshInterval": str,
        "refreshPolicy": str,
        "secretStoreRef": _STORE_REF,
        "target": {
            "name": str, "creationPolicy": str, "deletionPolicy": str, "immutable": bool, "template": ANYTHING,
            "manifest": ANYTHING,
        },
        "data": [{"secretKey": str, "remoteRef": _REMOTE, "sourceRef": _SOURCE_REF}],
        "dataFrom": [{"extract": _REMOTE, "find": _FIND, "rewrite": ANYTHING, "sourceRef": _SOURCE_REF}],
        "syncWindows": ANYTHING,
    },
}  # fmt: skip
STORE: Shape = {
    "apiVersion": str, "kind": str, "metadata": _METADATA, "status": ANYTHING,
    "spec": {
        "provider": ANYTHING, "conditions": ANYTHING, "controller": str, "retrySettings": ANYTHING,
        "refreshInterval": ANYTHING,
    },
}  # fmt: skip
_REQUIRED = {
    "ExternalSecret": ("metadata.name", "spec"),
    "ClusterSecretStore": ("metadata.name", "spec.provider"),
}
_REQUIRED["SecretStore"] = _REQUIRED["ClusterSecretStore"]
_NAMES = {str: "text", bool: "true or false"}


@dataclass(slots=True)
class Parsed:
    """What the documents hold. `ignored` are those that become nothing, each with why."""

    externals: list[Foreign] = field(default_factory=list)
    stores: dict[StoreKey, Store] = field(default_factory=dict)
    workloads: list[dict[str, Any]] = field(default_factory=list)
    ignored: list[Mistake] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    # Secrets with values are among them, which nobody should paste.
    values: list[Mistake] = field(default_factory=list)

    def sources(self) -> planning.Sources:
        """Return it ready to be planned."""
        return planning.Sources(self.externals, self.stores, uses.index(self.workloads), is_shared=True)


def parse(text: str) -> Parsed:
    """Read pasted YAML; what is wrong is in `mistakes`, and then nothing of it should be taken."""
    found = Parsed()
    try:
        documents = yamls.load(text)
    except yamls.Refused as error:
        found.mistakes = [error.mistake]
        return found
    accounts = {}
    for one in documents:
        if one.get("kind") == "ServiceAccount":
            metadata = plain.mapping(one.get("metadata"))
            accounts[plain.text(metadata.get("namespace")), plain.text(metadata.get("name"))] = one
    for one in documents:
        _sort(one, found, accounts)
    del found.mistakes[MOST_MISTAKES:]
    found.mistakes += _twice(found)
    return found


def _sort(one: Map, found: Parsed, accounts: dict[tuple[str, str], Map]) -> None:
    kind, api = plain.text(one.get("kind"), 60), plain.text(one.get("apiVersion"), 80)
    if not kind or not api:
        missing = "kind" if api else "apiVersion"
        found.mistakes.append(Mistake(one.line, f"This object has no {missing}."))
    elif (api, kind) in ((API, "ExternalSecret"), *((API, store) for store in STORES)):
        _ours(one, kind, found, accounts)
    elif kind in WORKLOADS and api == WORKLOADS[kind]:
        found.workloads.append(one)
    elif kind == "Secret" and api == "v1":
        why = "A Secret is not imported: an access holds the credential. Take it out: its values do not belong here."
        (found.values if one.get("data") or one.get("stringData") else found.ignored).append(
            Mistake(one.line, why)
        )
    elif kind == "ServiceAccount" and api == "v1":
        why = "A ServiceAccount is not imported: each access makes its own."
        found.ignored.append(Mistake(one.line, why))
    else:
        old = api.startswith("external-secrets.io/") and api != API
        why = f"{kind} of {api} is not imported{f'; write it as {API}' if old else ''}."
        found.ignored.append(Mistake(one.line, why))


def _ours(one: Map, kind: str, found: Parsed, accounts: dict[tuple[str, str], Map]) -> None:
    mistakes = list(check(one, EXTERNAL_SECRET if kind == "ExternalSecret" else STORE, ""))
    mistakes += _missing(one, kind)
    found.mistakes += mistakes
    if mistakes:
        return
    if kind == "ExternalSecret":
        found.externals.append(reading.external_secret(one))
    else:
        store = stores.read(one, accounts)
        found.stores[store.key] = store


def _missing(one: Map, kind: str) -> Iterator[Mistake]:
    for path in _REQUIRED[kind]:
        value: Any = one
        for word in path.split("."):
            value = plain.mapping(value).get(word)
        if not value:
            yield Mistake(one.line, f"This {kind} has no {path}.")


def pack(sources: planning.Sources) -> dict[str, Any]:
    """Return sources as plain data that a form can carry: references and names, and nothing else of what was pasted."""
    bare = [replace(one, made_at=None, refreshed_at=None, message="") for one in sources.externals]
    return {
        "externals": [asdict(one) for one in bare],
        "stores": [asdict(replace(one, message="")) for one in sources.stores.values()],
        "uses": [asdict(use) for used in sources.uses.values() for use in used],
    }


def unpack(packed: dict[str, Any]) -> planning.Sources:
    """Return what `pack` was given."""
    externals = []
    for one in packed["externals"]:
        references = tuple(
            Reference(**each | {"store": StoreKey(**each["store"]), "tags": tuple(map(tuple, each["tags"]))})
            for each in one["references"]
        )
        notes = tuple(one["notes"])
        externals.append(
            Foreign(**one | {"store": StoreKey(**one["store"]), "references": references, "notes": notes})
        )
    found = [
        Store(**one | {"key": StoreKey(**one["key"]), "namespaces": tuple(one["namespaces"])})
        for one in packed["stores"]
    ]
    used: dict[tuple[str, str], list[uses.Use]] = {}
    for one in packed["uses"]:
        use = uses.Use(**one | {"named": tuple(map(tuple, one["named"]))})
        used.setdefault((use.namespace, use.secret), []).append(use)
    return planning.Sources(externals, {one.key: one for one in found}, used, is_shared=True)


def _twice(found: Parsed) -> Iterator[Mistake]:
    seen: dict[str, int] = {}
    for one in found.externals:
        if one.id in seen:
            yield Mistake(one.line, f"The ExternalSecret {one.id} is in line {seen[one.id]} already.")
        seen.setdefault(one.id, one.line)


def check(value: Any, shape: Any, path: str, line: int = 0) -> Iterator[Mistake]:
    """Yield where a value has not the shape that it should have: an unknown field, or something of another kind."""
    if value is None or shape is ANYTHING:
        return
    if isinstance(shape, dict):
        yield from _check_mapping(value, shape, path, line)
    elif isinstance(shape, list):
        yield from _check_list(value, shape[0], path, line)
    elif shape is TEXTS:
        yield from _check_texts(value, path, line)
    elif not isinstance(value, shape):
        yield Mistake(line, f"{path} has to be {_NAMES[shape]}{', in quotes' if shape is str else ''}.")


def _check_list(value: Any, shape: Any, path: str, line: int) -> Iterator[Mistake]:
    if not isinstance(value, list):
        yield Mistake(line, f"{path} has to be a list.")
        return
    for at, item in enumerate(value):
        yield from check(item, shape, f"{path}[{at}]", yamls.line_of(value, at))


def _check_texts(value: Any, path: str, line: int) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake(line, f"{path} has to be a mapping.")
        return
    for key, inner in value.items():
        yield from check(inner, str, f"{path}.{key[:80]}", yamls.line_of(value, key))


def _check_mapping(value: Any, shape: dict[str, Any], path: str, line: int) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake(line, f"{path} has to be a mapping.")
        return
    for key, inner in value.items():
        here, where = f"{path}.{key[:80]}" if path else key[:80], yamls.line_of(value, key)
        if key not in shape:
            yield Mistake(where, f"{here} is no field that Keyhaven knows.")
        else:
            yield from check(inner, shape[key], here, where)
