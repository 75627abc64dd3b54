"""Requests to one cluster: server-side apply as our own field manager, reads, and reviews of what we may do."""

import base64
import json
import re
import tempfile
import weakref
from typing import Any
from urllib.parse import urlencode

import yaml
from django.conf import settings

from clusters.kubernetes import addresses, errors, kinds, workloads

PAGE = 500
# Of Secrets the API server is asked for nothing but metadata: no value ever reaches the console.
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_SECRETS = re.compile(r"^/api/v1/(?:namespaces/[^/]+/)?secrets(?:/[^/]+)?$")
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def connect(cluster: Any) -> "Door":
    """Open the door to a connected cluster.

    :raises ClusterError: the address is not allowed or the kubeconfig cannot be used
    """
    return Door(cluster.kubeconfig)


def connect_text(kubeconfig: str) -> "Door":
    """Open the door by a kubeconfig that `clusters.kubeconfig.reduce` returned."""
    return Door(kubeconfig)


def _secret_keys_only(manifest: dict[str, Any]) -> dict[str, Any]:
    """Drop what a Secret holds; nothing in the product ever needs it."""
    if manifest.get("kind") == "Secret":
        manifest = {key: value for key, value in manifest.items() if key not in ("data", "stringData")}
    return manifest


class Door:
    """A connection to a cluster. Its methods raise nothing but `ClusterError`."""

    def __init__(self, kubeconfig: str) -> None:
        try:
            document = yaml.safe_load(kubeconfig)
            cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
            self.host = str(cluster["server"]).rstrip("/")
            authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        except (KeyError, TypeError, IndexError, ValueError, yaml.YAMLError):
            raise errors.Unauthorized("The stored kubeconfig cannot be used.") from None
        try:
            # Checked at each connection: a name may point elsewhere by now.
            addresses.check(self.host)
        except addresses.Forbidden as error:
            raise errors.Unreachable(str(error)) from None
        self._token = str(user.get("token", ""))
        self._pool = self._connections(authority, cluster.get("tls-server-name"), user)

    def _connections(self, authority: str, server_name: str | None, user: dict[str, str]) -> Any:
        from kubernetes.client import ApiClient, Configuration

        from clusters.kubernetes import sockets

        configuration = Configuration(host=self.host)
        configuration.ca_cert_data = authority
        configuration.tls_server_name = server_name
        configuration.proxy = None
        configuration.retries = False
        if not self._token:
            configuration.cert_file = self._file(user.get("client-certificate-data", ""))
            configuration.key_file = self._file(user.get("client-key-data", ""))
        pool = ApiClient(configuration).rest_client.pool_manager
        pool.pool_classes_by_scheme = {"https": sockets.CheckedPool}
        return pool

    def _file(self, encoded: str) -> str:
        """Keep a client certificate in a file of our own, as TLS libraries want it, while the door lives."""
        file = tempfile.NamedTemporaryFile(prefix="keyhaven-")  # noqa: SIM115
        file.write(base64.b64decode(encoded))
        file.flush()
        weakref.finalize(self, file.close)
        return file.name

    def _request(
        self, method: str, path: str, body: Any = None, content: str = "application/json", **query: Any
    ) -> dict[str, Any]:
        import urllib3

        headers = {
            "Accept": METADATA if _SECRETS.match(path) else "application/json",
            "Content-Type": content,
        }
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        wanted = {key: value for key, value in query.items() if value}
        with errors.translated(self.host):
            response = self._pool.request(
                method,
                f"{self.host}{path}" + (f"?{urlencode(wanted)}" if wanted else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=urllib3.Timeout(
                    connect=min(3, settings.CLUSTER_TIMEOUT), read=settings.CLUSTER_TIMEOUT
                ),
                # A redirect could lead where `addresses` would not let us go.
                redirect=False,
                retries=False,
            )
        if response.status >= 300:
            body = response.data.decode(errors="replace")
            raise errors.from_status(response.status, body, of_secret=bool(_SECRETS.match(path)))
        try:
            answer = json.loads(response.data)
        except ValueError:
            raise errors.Unreachable(f"{self.host} does not answer like a Kubernetes API server.") from None
        return answer if isinstance(answer, dict) else {}

    # -- who and what --------------------------------------------------------------------------------
    def version(self) -> str:
        """Return the server's version, for example `v1.36.2`."""
        return workloads.text(self._request("GET", "/version").get("gitVersion", "unknown"), 40)

    def whoami(self) -> str:
        """Return the user name that the API server knows us by."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self._request("POST", kinds.path(review["apiVersion"], review["kind"]), review)
            return workloads.text(answer["status"]["userInfo"]["username"], 300)
        except (errors.NotFound, KeyError, TypeError):
            # Kubernetes before 1.28 does not say.
            return "unknown"

    def allowed(self, verb: str, group: str, resource: str, namespace: str = "") -> bool:
        """Ask whether we may do this; an empty namespace means in all of them."""
        attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self._request(
            "POST", kinds.path("authorization.k8s.io/v1", "SelfSubjectAccessReview"), review
        )
        return bool(answer.get("status", {}).get("allowed"))

    # -- reading -------------------------------------------------------------------------------------
    def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> dict[str, Any] | None:
        """Return an object, a Secret without its data, or None when it is not there."""
        try:
            found = self._request("GET", kinds.path(api_version, kind, namespace, name))
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
                answer = self._request(
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

    def events(self, namespace: str, name: str) -> list[dict[str, Any]]:
        """Return the events about objects of that name, oldest first."""
        selector = f"involvedObject.name={name}"
        answer = self._request(
            "GET", kinds.path("v1", "Event", namespace), fieldSelector=selector, limit=PAGE
        )
        items = answer.get("items") or []
        return sorted(items, key=lambda item: str(item.get("lastTimestamp") or item.get("eventTime") or ""))

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
            applied = self._request(
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

    def changes(self, manifest: dict[str, Any]) -> bool:
        """Tell by a dry run whether applying an object would change it; an object that is not there would be made."""
        metadata = manifest["metadata"]
        live = self.get(manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace"))
        if live is None:
            return True
        planned = self.apply(manifest, dry_run=True)
        return planned["metadata"].get("resourceVersion") != live["metadata"].get("resourceVersion") or (
            _comparable(planned) != _comparable(live)
        )

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> bool:
        """Delete an object and tell whether it was there."""
        try:
            self._request(
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
        self._request(
            "PATCH",
            kinds.path(api_version, kind, namespace, name),
            body,
            MERGE,
            fieldManager=settings.FIELD_MANAGER,
        )


def _comparable(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return an object without what the server writes at every request."""
    metadata = {
        key: value
        for key, value in manifest.get("metadata", {}).items()
        if key not in ("managedFields", "resourceVersion", "generation")
    }
    return {key: value for key, value in manifest.items() if key != "status"} | {"metadata": metadata}
