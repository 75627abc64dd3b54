"""A stand-in for Scaleway: IAM's API keys and Kapsule's clusters over HTTP, with its refusals in its own shape."""

import base64
import datetime
import json
import re
import secrets
import threading
import uuid
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import yaml

PROJECT, ORGANIZATION = "11111111-2222-4333-8444-555555555555", "99999999-8888-4777-8666-555555555555"
READ, IAM, MANAGER = "KubernetesReadOnly", "IAMReadOnly", "IAMManager"


class Refused(Exception):
    """An answer in Scaleway's shape."""

    def __init__(self, status: int, kind: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.body = status, {"type": kind, "message": message, **more}


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Scaleway:
    """Use it as a context manager; `key` makes a bearer with an API key, `cluster` a cluster."""

    def __init__(self, port: int = 0) -> None:
        self.keys: dict[str, dict[str, Any]] = {}
        self.permissions: dict[str, frozenset[str]] = {}
        self.clusters: dict[str, dict[str, Any]] = {}
        self.kubeconfigs: dict[str, str] = {}
        self.requests: list[tuple[str, str, int]] = []
        # What is answered instead, by the beginning of a path: (status, body).
        self.faults: dict[str, tuple[int, str]] = {}
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        server.daemon_threads = True
        self._server = server
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self._thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # -- what is in it -------------------------------------------------------------------------------------
    def key(
        self,
        permissions: Iterable[str] = (READ, IAM),
        *,
        bearer: str = "",
        kind: str = "application",
        expires: datetime.datetime | None = None,
    ) -> dict[str, str]:
        """Make an API key and return its two halves; a bearer that is new gets these permission sets."""
        bearer = bearer or str(uuid.uuid4())
        self.permissions.setdefault(bearer, frozenset(permissions))
        made = self._add(f"{kind}_id", bearer, "keyhaven", expires)
        return {name: made[name] for name in ("access_key", "secret_key")}

    def credential(self, permissions: Iterable[str] = (READ, IAM)) -> dict[str, str]:
        """Make an API key and return everything that a credential of it is entered with."""
        places = {"project": PROJECT, "organization": ORGANIZATION, "region": "fr-par"}
        return self.key(permissions, expires=now() + datetime.timedelta(days=90)) | places

    def _add(
        self, kind: str, bearer: str, description: str, expires: datetime.datetime | None
    ) -> dict[str, Any]:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        access = "SCW" + "".join(secrets.choice(alphabet) for _ in range(17))
        made = {
            "access_key": access, "secret_key": str(uuid.uuid4()), "application_id": None, "user_id": None,
            "description": description, "created_at": now().isoformat(), "updated_at": now().isoformat(),
            "expires_at": expires.isoformat() if expires else None, "default_project_id": PROJECT,
            "editable": True, "deletable": True, "managed": False, "creation_ip": "127.0.0.1",
        } | {kind: bearer}  # fmt: skip
        self.keys[access] = made
        return made

    def cluster(self, name: str, region: str = "fr-par", project: str = PROJECT, **more: Any) -> str:
        """Make a cluster, described by `kubeconfig` in YAML if that is given, and return its ID."""
        made = str(uuid.uuid4())
        self.kubeconfigs[made] = more.pop("kubeconfig", "") or _kubeconfig(made, region)
        self.clusters[made] = {
            "id": made, "name": name, "region": region, "project_id": project, "organization_id": ORGANIZATION,
            "status": "ready", "version": "1.33.4", "cni": "cilium", "type": "kapsule", "tags": [],
            "cluster_url": f"https://{made}.api.k8s.{region}.scw.cloud:6443",
        } | more  # fmt: skip
        return made

    def bearer_of(self, token: str) -> str:
        """Return whose secret key this is, or nothing: what an API server asks with each request."""
        found = next((one for one in self.keys.values() if one["secret_key"] == token), None)
        return str(found["application_id"] or found["user_id"]) if found and not _is_over(found) else ""

    def planted(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Do what a running cluster asks for (sandbox/scaleway_kapsule.py); nothing like it is at Scaleway."""
        if path == "/sandbox/clusters":
            return {"id": self.cluster(**body)}
        bearer = self.bearer_of(str(body.get("token", "")))
        sets = sorted(self.permissions.get(bearer, ()))
        return {"bearer": bearer, "sets": sets, "enters": any(one.startswith("Kubernetes") for one in sets)}

    # -- answering -----------------------------------------------------------------------------------------
    def answer(
        self, method: str, path: str, query: dict[str, str], token: str, body: dict[str, Any]
    ) -> tuple[int, Any]:
        bearer = self._sign_in(token)
        if found := re.fullmatch(r"/iam/v1alpha1/api-keys(?:/(?P<key>[^/]+))?", path):
            return self._iam(method, found["key"], query, bearer, body)
        if found := re.fullmatch(
            r"/k8s/v1/regions/(?P<region>[^/]+)/clusters(?:/(?P<id>[^/]+)(?P<file>/kubeconfig)?)?", path
        ):
            self._require(bearer, READ)
            return 200, self._kapsule(found["region"], found["id"], bool(found["file"]), query)
        raise Refused(404, "not_found", "resource is not found", resource="path", resource_id=path)

    def _sign_in(self, token: str) -> str:
        found = next(
            (one for one in self.keys.values() if secrets.compare_digest(one["secret_key"], token)), None
        )
        if found is None:
            raise Refused(
                401, "denied_authentication", "authentication is denied", method="api_key", reason="not_found"
            )
        if _is_over(found):
            raise Refused(
                401, "denied_authentication", "authentication is denied", method="api_key", reason="expired"
            )
        return str(found["application_id"] or found["user_id"])

    def _require(self, bearer: str, *sets: str) -> None:
        if not self.permissions[bearer] & set(sets):
            details = [{"resource": sets[0], "action": "read"}]
            raise Refused(403, "permissions_denied", "insufficient permissions", details=details)

    def _iam(
        self, method: str, key: str | None, query: dict[str, str], bearer: str, body: dict[str, Any]
    ) -> tuple[int, Any]:
        self._require(bearer, MANAGER, *([IAM] if method == "GET" else []))
        if method == "POST" and key is None:
            kind = "application_id" if body.get("application_id") else "user_id"
            ends = body.get("expires_at")
            expires = datetime.datetime.fromisoformat(ends) if ends else None
            return 200, self._add(kind, body[kind], body.get("description", ""), expires)
        if key is None:
            wanted = query.get("bearer_id", "")
            found = [one for one in self.keys.values() if wanted in (one["application_id"], one["user_id"])]
            return 200, {"api_keys": [_public(one) for one in found], "total_count": len(found)}
        if key not in self.keys:
            raise Refused(404, "not_found", "resource is not found", resource="api_key", resource_id=key)
        if method == "DELETE":
            del self.keys[key]
            return 204, None
        return 200, _public(self.keys[key])

    def _kapsule(self, region: str, cluster: str | None, file: bool, query: dict[str, str]) -> Any:
        if cluster is None:
            project = query.get("project_id")
            found = [
                one for one in self.clusters.values()
                if one["region"] == region and project in (None, one["project_id"])
            ]  # fmt: skip
            size, page = int(query.get("page_size", 20)), int(query.get("page", 1))
            return {"clusters": found[(page - 1) * size : page * size], "total_count": len(found)}
        one = self.clusters.get(cluster)
        if one is None or one["region"] != region:
            raise Refused(404, "not_found", "resource is not found", resource="cluster", resource_id=cluster)
        if not file:
            return one
        text = yaml.safe_load(self.kubeconfigs[cluster])
        if query.get("redacted") == "true":
            text["users"] = [{"name": "scw", "user": {"token": "REDACTED"}}]
        content = base64.b64encode(yaml.safe_dump(text).encode()).decode()
        return {"name": "kubeconfig", "content_type": "application/octet-stream", "content": content}


def _is_over(key: dict[str, Any]) -> bool:
    return bool(key["expires_at"]) and datetime.datetime.fromisoformat(key["expires_at"]) <= now()


def _public(key: dict[str, Any]) -> dict[str, Any]:
    return key | {"secret_key": None}


def _kubeconfig(cluster: str, region: str) -> str:
    authority = base64.b64encode(
        b"-----BEGIN CERTIFICATE-----\nc2FuZGJveA==\n-----END CERTIFICATE-----\n"
    ).decode()
    server = f"https://{cluster}.api.k8s.{region}.scw.cloud:6443"
    entry = {"server": server, "certificate-authority-data": authority}
    user = {"token": "an administrators' token"}
    return yaml.safe_dump(
        {"clusters": [{"name": "c", "cluster": entry}], "users": [{"name": "u", "user": user}]}
    )


def _handler(scaleway: Scaleway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            """Nothing is logged: headers hold keys."""

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            read = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.headers.get("X-Auth-Token", "")
            fault = next(
                (what for path, what in scaleway.faults.items() if parts.path.startswith(path)), None
            )
            if fault:
                status, text = fault
            else:
                try:
                    body = json.loads(read) if read else {}
                    if parts.path.startswith("/sandbox/"):
                        status, said = 200, scaleway.planted(parts.path, body)
                    else:
                        status, said = scaleway.answer(self.command, parts.path, query, token, body)
                except Refused as refused:
                    status, said = refused.status, refused.body
                text = "" if said is None else json.dumps(said)
            scaleway.requests.append((self.command, parts.path, status))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_DELETE = _serve

    return Handler
