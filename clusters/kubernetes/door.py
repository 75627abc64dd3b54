"""Requests to one cluster: server-side apply as our own field manager, reads, and reviews of what we may do."""

import copy
from typing import Any

from django.conf import settings

from clusters.kubernetes import errors, events, kinds, signing, workloads
from clusters.kubernetes.signing import Supplier
from clusters.kubernetes.wire import Wire

PAGE = 500
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


def connect(cluster: Any, *, patience: float = 0, budget: int = 0) -> "Door":
    """Open the door to a connected cluster, however it signs in; with `patience`, as `Wire` describes it.

    :raises ClusterError: the address is not allowed or the kubeconfig cannot be used
    """
    return Door(cluster.kubeconfig, tokens=signing.of(cluster), patience=patience, budget=budget)


def connect_text(
    kubeconfig: str, *, tokens: Supplier | None = None, patience: float = 0, budget: int = 0
) -> "Door":
    """Open the door by a kubeconfig that `clusters.kubeconfig.reduce` returned, or with `tokens`
    (`signing.supplier`) by one of `clusters.kubeconfig.bare`."""
    return Door(kubeconfig, tokens=tokens, patience=patience, budget=budget)


def _secret_keys_only(manifest: dict[str, Any]) -> dict[str, Any]:
    """Drop what a Secret holds; nothing in the product ever needs it."""
    if manifest.get("kind") == "Secret":
        manifest = {key: value for key, value in manifest.items() if key not in ("data", "stringData")}
    return manifest


class Door(Wire):
    """A connection to a cluster. Its methods raise nothing but `ClusterError`, and may be called from any thread."""

    def hasty(self) -> "Door":
        """Return the same door for somebody who waits for an admission webhook in a way of their own."""
        door = copy.copy(self)
        door.waits_for_webhooks = False
        return door

    # -- who and what --------------------------------------------------------------------------------
    def version(self) -> str:
        """Return the server's version, for example `v1.36.2`."""
        return workloads.text(self.request("GET", "/version").get("gitVersion", "unknown"), 40)

    def whoami(self) -> str:
        """Return the user name that the API server knows us by."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self.request("POST", kinds.path(review["apiVersion"], review["kind"]), review)
            return workloads.text(answer["status"]["userInfo"]["username"], 300)
        except (errors.NotFound, KeyError, TypeError):
            # Kubernetes before 1.28 does not say.
            return "unknown"

    def allowed(self, verb: str, group: str, resource: str, namespace: str = "", name: str = "") -> bool:
        """Ask whether we may do this to a resource or `resource/part`; an empty namespace means in all of them, an
        empty name all objects."""
        whole, _, part = resource.partition("/")
        attributes = {"verb": verb, "group": group, "resource": whole, "namespace": namespace}
        attributes |= ({"subresource": part} if part else {}) | ({"name": name} if name else {})
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self.request(
            "POST", kinds.path("authorization.k8s.io/v1", "SelfSubjectAccessReview"), review
        )
        return bool(answer.get("status", {}).get("allowed"))

    def token(self, namespace: str, name: str, audience: str) -> str:
        """Return a token of a ServiceAccount for one audience, good for ten minutes; it is never stored.

        Without an audience it is for the API server itself.

        :raises NotFound: there is no such ServiceAccount
        """
        wanted = {"audiences": [audience] if audience else [], "expirationSeconds": 600}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted}
        answer = self.request("POST", f"{kinds.path('v1', 'ServiceAccount', namespace, name)}/token", body)
        try:
            return str(answer["status"]["token"])
        except (KeyError, TypeError):
            raise errors.Unreachable(f"{self.host} does not answer like a Kubernetes API server.") from None

    def issuer(self) -> str:
        """Return who signs the tokens of the cluster's ServiceAccounts, or an empty string if that is not told."""
        try:
            found = self.request("GET", "/.well-known/openid-configuration").get("issuer", "")
        except (errors.Forbidden, errors.NotFound):
            return ""
        return workloads.text(found, 300)

    # -- reading -------------------------------------------------------------------------------------
    def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> dict[str, Any] | None:
        """Return an object, a Secret without its data, or None when it is not there."""
        try:
            found = self.request("GET", kinds.path(api_version, kind, namespace, name))
        except errors.NotFound:
            return None
        return _secret_keys_only(found | {"apiVersion": api_version, "kind": kind})

    def list_all(
        self, api_version: str, kind: str, namespace: str | None = None, label_selector: str | None = None
    ) -> list[dict[str, Any]]:
        """Return every object of a kind, in one namespace or in all, Secrets without their data.

        :raises KindMissing: the cluster does not have this kind
        """
        found: list[dict[str, Any]] = []
        more = ""
        while True:
            try:
                answer = self.request(
                    "GET",
                    kinds.path(api_version, kind, namespace),
                    labelSelector=label_selector,
                    limit=PAGE,
                    **{"continue": more},
                )
            except errors.NotFound as error:
                raise errors.KindMissing(f"The cluster has no {kind}.") from error
            for item in answer.get("items") or []:
                found.append(_secret_keys_only(item | {"apiVersion": api_version, "kind": kind}))
            more = str((answer.get("metadata") or {}).get("continue") or "")
            if not more:
                return found

    def events_of(self, kind: str) -> list[events.Event]:
        """Return what was said of every object of a kind, oldest first."""
        found: list[events.Event | None] = []
        more = ""
        while True:
            answer = self.request(
                "GET",
                kinds.path("v1", "Event"),
                fieldSelector=f"involvedObject.kind={kind}",
                limit=PAGE,
                **{"continue": more},
            )
            found += [events.read(item) for item in answer.get("items") or []]
            more = str((answer.get("metadata") or {}).get("continue") or "")
            if not more:
                return sorted((event for event in found if event), key=lambda event: event.at)

    def workloads(self) -> list[workloads.Workload]:
        """Return the workloads of all namespaces but the cluster's own."""
        try:
            return [
                workloads.read(kind, item)
                for api_version, kind in workloads.KINDS
                for item in self.list_all(api_version, kind)
                if item["metadata"]["namespace"] not in workloads.SYSTEM
            ]
        except (KeyError, TypeError, AttributeError):
            raise errors.Unreachable(f"{self.host} does not answer like a Kubernetes API server.") from None

    # -- writing -------------------------------------------------------------------------------------
    def apply(
        self, manifest: dict[str, Any], *, dry_run: bool = False, force: bool = False
    ) -> dict[str, Any]:
        """Apply an object server-side as our field manager and return it, a Secret without its data.

        :raises Conflict: another manager owns a field that we would write
        """
        metadata = manifest["metadata"]
        path = kinds.path(
            manifest["apiVersion"], manifest["kind"], metadata.get("namespace"), metadata["name"]
        )
        try:
            applied = self.request(
                "PATCH",
                path,
                manifest,
                APPLY,
                fieldManager=settings.FIELD_MANAGER,
                fieldValidation="Strict",
                force="true" if force else "",
                dryRun="All" if dry_run else "",
            )
        except errors.NotFound as error:
            if "namespaces" in error.reason:
                raise
            raise errors.KindMissing(f"The cluster has no {manifest['kind']}.") from error
        return _secret_keys_only(applied)

    def merge(self, manifest: dict[str, Any]) -> None:
        """Send a strategic merge patch, which can take items out of lists whoever owns them.

        :raises Changed: it is not at the patch's `resourceVersion` any more
        """
        metadata = manifest["metadata"]
        self.request(
            "PATCH",
            kinds.path(manifest["apiVersion"], manifest["kind"], metadata.get("namespace"), metadata["name"]),
            manifest,
            STRATEGIC,
            fieldManager=settings.FIELD_MANAGER,
        )

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> bool:
        """Delete an object and tell whether it was there."""
        try:
            self.request(
                "DELETE", kinds.path(api_version, kind, namespace, name), propagationPolicy="Background"
            )
        except errors.NotFound:
            return False
        return True

    def annotate(
        self, api_version: str, kind: str, name: str, namespace: str | None, annotations: dict[str, str]
    ) -> None:
        """Set annotations of an object and nothing else."""
        body = {"metadata": {"annotations": annotations}}
        self.request(
            "PATCH",
            kinds.path(api_version, kind, namespace, name),
            body,
            MERGE,
            fieldManager=settings.FIELD_MANAGER,
        )
