"""What a request does to the store: create, replace, patch, apply, delete. No HTTP here."""

import copy
from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes import answers, apply, patches, schema, store
from sandbox.kubernetes.resources import Resource

type Manifest = dict[str, Any]

KINDS_OF_PATCH = {
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/json-patch+json": "json",
    "application/apply-patch+yaml": "apply",
    "application/apply-patch": "apply",
}


@dataclass(frozen=True, slots=True)
class Options:
    """The query of a write."""

    manager: str = "unknown"
    dry_run: bool = False
    force: bool = False
    strict: bool = False


class Operations:
    """Writes to one store, as the API server does them."""

    def __init__(self, objects: store.Store) -> None:
        self.store = objects

    def key(self, resource: Resource, namespace: str, name: str) -> store.Key:
        return (resource.group, resource.plural, namespace if resource.namespaced else "", name)

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest:
        """Return an object as an answer shows it.

        :raises answers.Refused: 404
        """
        key = self.key(resource, namespace, name)
        found = self.store.find(key)
        if found is None:
            raise answers.not_found(resource.group, resource.plural, name)
        return self.store.shown(key, found, resource)

    def create(self, resource: Resource, namespace: str, body: Manifest, options: Options) -> Manifest:
        """Create an object; `generateName` gets a suffix."""
        body = self._named(resource, namespace, body)
        key = self.key(resource, namespace, body["metadata"]["name"])
        with self.store.lock:
            if self.store.find(key) is not None:
                raise answers.already_exists(resource.group, resource.plural, key[3])
            return self._write(resource, key, None, body, options)

    def _named(self, resource: Resource, namespace: str, body: Manifest) -> Manifest:
        body = copy.deepcopy(body)
        metadata = body.setdefault("metadata", {})
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName']}{self.store.revision:05x}"
        if resource.namespaced:
            metadata["namespace"] = namespace
            if self.store.find(("", "namespaces", "", namespace)) is None:
                raise answers.not_found("", "namespaces", namespace)
        else:
            metadata.pop("namespace", None)
        return body | {"apiVersion": resource.api_version, "kind": resource.kind}

    def _write(
        self, resource: Resource, key: store.Key, live: Manifest | None, body: Manifest, options: Options
    ) -> Manifest:
        """Write as an ordinary update by `options.manager`, after validation."""
        unknown = schema.unknown_fields(body, resource) if options.strict else []
        if unknown:
            listed = ", ".join(f'unknown field "{path.lstrip(".")}"' for path in unknown)
            raise answers.Refused(400, "BadRequest", f"strict decoding error: {listed}")
        body = schema.with_defaults(body, resource)
        schema.check(body, resource)
        owners = apply.update(
            live or {},
            body,
            self.store.owners.get(key, []),
            resource.keys_of,
            manager=options.manager,
            now=store.now(),
        )
        return self._keep(resource, key, body, owners, options)

    def _keep(
        self, resource: Resource, key: store.Key, body: Manifest, owners: list[apply.Owner], options: Options
    ) -> Manifest:
        if not options.dry_run:
            return self.store.shown(key, self.store.put(key, body, owners), resource)
        live = self.store.find(key)
        shown = copy.deepcopy(body)
        shown["metadata"].pop("managedFields", None)
        if live is None:
            shown["metadata"] |= {"uid": "dry-run", "creationTimestamp": store.now(), "generation": 1}
        else:
            for name in ("uid", "creationTimestamp", "generation", "resourceVersion"):
                shown["metadata"][name] = live["metadata"][name]
            if shown.get("spec") != live.get("spec"):
                shown["metadata"]["generation"] += 1
        shown["metadata"]["managedFields"] = [owner.entry() for owner in owners]
        return shown

    def replace(
        self, resource: Resource, namespace: str, name: str, body: Manifest, options: Options
    ) -> Manifest:
        """Replace an object; a resourceVersion that is not the live one is a conflict."""
        key = self.key(resource, namespace, name)
        with self.store.lock:
            live = self._live(resource, key)
            self._same_revision(resource, live, body)
            body = copy.deepcopy(body) | {"apiVersion": resource.api_version, "kind": resource.kind}
            if "status" in live:
                body["status"] = live["status"]
            return self._write(resource, key, live, body, options)

    def _live(self, resource: Resource, key: store.Key) -> Manifest:
        live = self.store.find(key)
        if live is None:
            raise answers.not_found(resource.group, resource.plural, key[3])
        return live

    @staticmethod
    def _same_revision(resource: Resource, live: Manifest, body: Manifest) -> None:
        wanted = (body.get("metadata") or {}).get("resourceVersion")
        if wanted and wanted != live["metadata"]["resourceVersion"]:
            name = live["metadata"]["name"]
            full = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
            raise answers.Refused(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {full} "{name}": the object has been modified; '
                "please apply your changes to the latest version and try again",
            )

    def status(
        self, resource: Resource, namespace: str, name: str, body: Manifest, merge: bool = False
    ) -> Manifest:
        """Write the status subresource: nothing but `status`."""
        key = self.key(resource, namespace, name)
        with self.store.lock:
            live = self._live(resource, key)
            wanted = body.get("status") or {}
            status = patches.merge_patch(live.get("status") or {}, wanted) if merge else wanted
            return self.store.shown(key, self.store.put(key, live | {"status": status}), resource)

    def patch(
        self, resource: Resource, namespace: str, name: str, body: Any, kind: str, options: Options
    ) -> tuple[Manifest, bool]:
        """Patch an object; return it and whether it was created, which only an apply does."""
        key = self.key(resource, namespace, name)
        with self.store.lock:
            if KINDS_OF_PATCH.get(kind) == "apply":
                return self._apply(resource, key, namespace, body, options)
            live = self._live(resource, key)
            match KINDS_OF_PATCH.get(kind):
                case "merge":
                    wanted = patches.merge_patch(live, body)
                case "strategic" if resource.schema is None:
                    wanted = patches.strategic(live, body, resource.keys_of)
                case "json":
                    wanted = patches.json_patch(live, body)
                case _:
                    message = "the body of the request was in an unknown format"
                    raise answers.Refused(415, "UnsupportedMediaType", message)
            self._same_revision(resource, live, wanted)
            return self._write(resource, key, live, wanted, options), False

    def _apply(
        self, resource: Resource, key: store.Key, namespace: str, body: Manifest, options: Options
    ) -> tuple[Manifest, bool]:
        unknown = schema.unknown_fields(body, resource)
        if unknown:
            raise answers.Refused(
                500,
                "InternalError",
                f"failed to create typed patch object ({namespace}/{key[3]}; {resource.api_version}, "
                f"Kind={resource.kind}): {unknown[0]}: field not declared in schema",
            )
        live = self.store.find(key)
        if live is not None:
            self._same_revision(resource, live, body)
        base = live or self._named(
            resource, namespace, {"metadata": {"name": key[3]}, "apiVersion": resource.api_version}
        )
        wanted = {name: value for name, value in body.items() if name != "status"}
        merged, owners = apply.apply(
            base,
            wanted | {"apiVersion": resource.api_version, "kind": resource.kind},
            self.store.owners.get(key, []),
            resource.keys_of,
            manager=options.manager,
            force=options.force,
            now=store.now(),
        )
        merged = schema.with_defaults(merged, resource)
        schema.check(merged, resource)
        return self._keep(resource, key, merged, owners, options), live is None

    def delete(self, resource: Resource, namespace: str, name: str, dry_run: bool) -> Manifest:
        """Delete an object and return what it was."""
        gone = self.get(resource, namespace, name)
        if not dry_run:
            self.store.remove(self.key(resource, namespace, name))
        return gone
