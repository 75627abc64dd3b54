"""One request: its path taken apart, its caller allowed or not, and what it answers. No sockets here."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from sandbox.kubernetes import answers, discovery, protobuf, rbac, reviews, selectors, tables
from sandbox.kubernetes.identity import Identities, User
from sandbox.kubernetes.operations import Operations, Options
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.store import Store

_PATH = re.compile(
    r"^/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/[a-z]))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?$"
)
# Only these two of the server's own addresses need a right.
_JWKS, _ISSUER = "/openid/v1/jwks", "/.well-known/openid-configuration"
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Call:
    """A request to an object or a list, taken apart."""

    method: str
    resource: Resource
    namespace: str
    name: str
    sub: str
    query: dict[str, str]
    content: str
    accept: str
    agent: str
    body: Any

    @property
    def plural(self) -> str:
        """What a right names: the kind, and its subresource if that is what is asked for."""
        return f"{self.resource.plural}/{self.sub}" if self.sub else self.resource.plural

    @property
    def verb(self) -> str:
        if self.method == "GET" and not self.name:
            return "watch" if self.query.get("watch") in ("1", "true") else "list"
        if self.method == "DELETE" and not self.name:
            return "deletecollection"
        return _VERBS[self.method]

    def options(self) -> Options:
        return Options(
            manager=self.query.get("fieldManager") or self.agent.partition("/")[0] or "unknown",
            dry_run=self.query.get("dryRun") == "All",
            force=self.query.get("force") == "true",
            strict=self.query.get("fieldValidation") == "Strict",
        )


class Api:
    """Answers requests: (method, target, headers, body) → (status, a JSON value or an iterator of watch events)."""

    def __init__(self, objects: Store, identities: Identities) -> None:
        self.store, self.identities = objects, identities
        self.operations = Operations(objects)
        self.issuer = self.version = ""

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Answer one request.

        :raises answers.Refused: any answer but success
        """
        parts = urlsplit(target)
        path, query = (
            unquote(parts.path),
            {k: v[-1] for k, v in parse_qs(parts.query, keep_blank_values=True).items()},
        )
        if path in ("/healthz", "/livez", "/readyz"):
            return 200, "ok"
        user = self._user(headers.get("Authorization", ""))
        if path in (_JWKS, _ISSUER):
            self.identities.require_path(user, path)
        said = self._discovery(path)
        if said is not None:
            return 200, said
        call = self._call(method, path, query, headers, body)
        if call.resource.group not in ("authorization.k8s.io", "authentication.k8s.io"):
            self.identities.require(
                user, call.verb, call.resource.group, call.plural, call.namespace, call.name
            )
            rbac.require_more(self.store, self.identities, call, user)
        status, answer = self._do(call, user)
        metadata_only = "as=PartialObjectMetadata" in call.accept and isinstance(answer, dict)
        if metadata_only and ("items" in answer) != ("as=PartialObjectMetadataList" in call.accept):
            raise answers.Refused(
                406, "NotAcceptable", "you requested PartialObjectMetadata of something else"
            )
        return status, tables.metadata_only(answer) if metadata_only else answer

    def _user(self, authorization: str) -> User:
        """Return who asks: one of the known identities, or a ServiceAccount by a token of ours.

        :raises answers.Refused: 401
        """
        claims = self.identities.account(authorization, self.issuer)
        return rbac.account(self.store, claims) if claims else self.identities.of(authorization)

    def _discovery(self, path: str) -> Any:
        resources = list(self.store.resources.values())
        simple: dict[str, Callable[[], Any]] = {
            "/version": lambda: discovery.version(self.version),
            "/api": lambda: {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
            "/apis": lambda: discovery.groups(resources),
            "/api/v1": lambda: discovery.resource_list(resources, "", "v1"),
            "/openapi/v3": lambda: discovery.openapi_index(resources),
            _JWKS: self.identities.jwks,
            _ISSUER: lambda: {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}{_JWKS}",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            },
        }
        if path in simple:
            return simple[path]()
        match path.strip("/").split("/"):
            case ["apis", group, version] if any((r.group, r.version) == (group, version) for r in resources):
                return discovery.resource_list(resources, group, version)
            case ["apis", group] if any(r.group == group for r in resources):
                entry = next(e for e in discovery.groups(resources)["groups"] if e["name"] == group)
                return {"kind": "APIGroup", "apiVersion": "v1"} | entry
            case ["openapi", "v3", "api", version]:
                return discovery.openapi(resources, "", version)
            case ["openapi", "v3", "apis", group, version]:
                return discovery.openapi(resources, group, version)
        return None

    def _call(self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes) -> Call:
        match = _PATH.match(path)
        if match is None:
            raise answers.Refused(404, "NotFound", "the server could not find the requested resource")
        resource = self.store.resource(
            match["group"] or "", match["version"] or match["core"], match["plural"]
        )
        parsed = _parse(headers.get("Content-Type", ""), body)
        return Call(
            method, resource, match["namespace"] or "", match["name"] or "", match["sub"] or "", query,
            headers.get("Content-Type", "").partition(";")[0], headers.get("Accept", ""),
            headers.get("User-Agent", ""), parsed,
        )  # fmt: skip

    # -- what is asked for ---------------------------------------------------------------------------
    def _do(self, call: Call, user: User) -> tuple[int, Any]:
        if call.resource.kind.endswith("Review"):
            return 201, reviews.answer(self, call.resource.kind, call.body or {}, user)
        if call.sub == "token":
            spec = (call.body or {}).get("spec") or {}
            status = self.token(call.namespace, call.name, spec)
            return 201, (call.body or {}) | {"status": status}
        if call.sub == "status":
            if call.method == "GET":
                return 200, self.operations.get(call.resource, call.namespace, call.name)
            return 200, self.operations.status(
                call.resource, call.namespace, call.name, call.body or {}, call.method == "PATCH"
            )
        return self._object(call) if call.name else self._collection(call)

    def token(self, namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        """Return the status of a TokenRequest.

        :raises answers.Refused: 404 without the ServiceAccount, 422 for a time that is too short
        """
        account = self.operations.get(self.store.by_kind("ServiceAccount"), namespace, name)
        return self.identities.service_account_token(self.issuer, account["metadata"], spec)

    def _object(self, call: Call) -> tuple[int, Any]:
        act, where = self.operations, (call.resource, call.namespace, call.name)
        match call.method:
            case "GET":
                found = act.get(*where)
                return 200, self._shaped(call, [found]) if "as=Table" in call.accept else found
            case "PUT":
                return 200, act.replace(*where, call.body, call.options())
            case "PATCH":
                patched, created = act.patch(*where, call.body, call.content, call.options())
                return (201 if created else 200), patched
            case "DELETE":
                gone = act.delete(
                    *where, (call.body or {}).get("dryRun") == ["All"] or call.options().dry_run
                )
                details = {"name": call.name, "kind": call.resource.plural, "uid": gone["metadata"]["uid"]}
                return 200, {
                    "kind": "Status",
                    "apiVersion": "v1",
                    "metadata": {},
                    "status": "Success",
                    "details": details,
                }
        raise answers.Refused(
            405, "MethodNotAllowed", "the server does not allow this method on the resource"
        )

    def _collection(self, call: Call) -> tuple[int, Any]:
        if call.method == "POST":
            return 201, self.operations.create(call.resource, call.namespace, call.body or {}, call.options())
        if call.verb == "watch":
            return 200, self._watch(call)
        found = [self._as_shown(call, item) for item in self.store.list_all(call.resource, call.namespace)]
        found = [item for item in found if self._selected(call, item)]
        if call.method == "DELETE":
            for item in found:
                metadata = item["metadata"]
                self.operations.delete(call.resource, metadata.get("namespace", ""), metadata["name"], False)
        return 200, self._shaped(call, found)

    def _as_shown(self, call: Call, item: dict[str, Any]) -> dict[str, Any]:
        metadata = item["metadata"]
        key = self.operations.key(call.resource, metadata.get("namespace", ""), metadata["name"])
        return self.store.shown(key, item, call.resource)

    def _shaped(self, call: Call, items: list[dict[str, Any]]) -> dict[str, Any]:
        revision = self.store.revision
        if "as=Table" in call.accept:
            return tables.table(call.resource, items, revision)
        start = int(call.query.get("continue") or 0)
        size = int(call.query.get("limit") or 0) or len(items)
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        if start + size < len(items):
            metadata |= {"continue": str(start + size), "remainingItemCount": len(items) - start - size}
        kind = f"{call.resource.kind}List"
        page = items[start : start + size]
        return {"kind": kind, "apiVersion": call.resource.api_version, "metadata": metadata, "items": page}

    def _selected(self, call: Call, item: dict[str, Any]) -> bool:
        labels = item["metadata"].get("labels") or {}
        return selectors.labels_fit(call.query.get("labelSelector", ""), labels) and selectors.fields_fit(
            call.query.get("fieldSelector", ""), item
        )

    def _watch(self, call: Call) -> Iterator[dict[str, Any]]:
        revision = int(call.query.get("resourceVersion") or 0)
        if not revision:
            for item in self.store.list_all(call.resource, call.namespace):
                yield self._event(call, "ADDED", self._as_shown(call, item))
            revision = self.store.revision
        seconds = float(call.query.get("timeoutSeconds") or 300)
        for event, key, manifest in self.store.events_since(revision, seconds):
            if key[:2] != (call.resource.group, call.resource.plural) or call.namespace not in ("", key[2]):
                continue
            shown = self.store.shown(key, manifest, call.resource)
            if self._selected(call, shown):
                yield self._event(call, event, shown)

    def _event(self, call: Call, event: str, shown: dict[str, Any]) -> dict[str, Any]:
        shaped = (
            tables.table(call.resource, [shown], self.store.revision) if "as=Table" in call.accept else shown
        )
        return {"type": event, "object": shaped}


def _parse(content: str, body: bytes) -> Any:
    if not body:
        return None
    if "protobuf" in content:
        return protobuf.decode(body)
    try:
        return yaml.load(body, Loader=_LOADER)  # noqa: S506  a safe loader, the fast one where there is one
    except yaml.YAMLError as error:
        raise answers.Refused(400, "BadRequest", "the body cannot be read") from error


def encode(value: Any) -> bytes:
    """Return an answer's body."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()
