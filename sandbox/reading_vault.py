"""How the sandbox's operator reads from Vault: as the identity of a `vault` store, from a real server."""

import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from sandbox import reading_values
from sandbox.kubernetes import Cluster, answers
from sandbox.reading import Manifest, secret_value
from sandbox.reading_values import Failed, Missing

# A property is the name of a field before it is a path into JSON, and what is missing has words of its own.
own_fields = True
_TIMEOUT = 5
_SYSTEM = ("created_time", "current_version", "delete_version_after")


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"Code: {status}")
        self.status = status


class _Vault:
    """One store's server, as whoever the store says."""

    def __init__(self, cluster: Cluster, manifest: Manifest) -> None:
        self.spec: Manifest = manifest["spec"]["provider"]["vault"]
        self._cluster, self._home = cluster, manifest["metadata"].get("namespace", "")
        self.v2 = self.spec.get("version", "v2") == "v2"
        self._token = ""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request and return its answer, None for what is not there.

        :raises Failed: nothing answers
        :raises _Refused: it is refused
        """
        headers = {"X-Vault-Token": self._token, "X-Vault-Namespace": self.spec.get("namespace", "")}
        request = urllib.request.Request(  # noqa: S310
            f"{self.spec['server']}/v1/{urllib.parse.quote(path, safe='/?=&')}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={name: text for name, text in headers.items() if text},
        )  # fmt: skip
        authority = base64.b64decode(self.spec.get("caBundle") or "").decode()
        context = ssl.create_default_context(cadata=authority) if authority else None
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT, context=context) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise _Refused(error.code) from None
        except (OSError, ValueError):
            raise Failed("unable to create client: the Vault server does not answer") from None

    # -- signing in ------------------------------------------------------------------------------------
    def sign_in(self) -> None:
        """Get a token and look it up, as the operator does for every store.

        :raises Failed: there is none, or Vault does not know it
        """
        auth = self.spec["auth"]
        if selector := auth.get("tokenSecretRef"):
            self._token = self._secret(selector)
        else:
            self._token = self._login(*self._named(auth))
        try:
            found = self.ask("GET", "auth/token/lookup-self")
        except _Refused as error:
            raise Failed(f"unable to create client: invalid vault credentials: {error}") from None
        if found is None:
            raise Failed("unable to create client: no response nor error for token lookup")
        self._check_engine()

    def _named(self, auth: Manifest) -> tuple[str, Manifest]:
        """Return the path of a login and what is sent to it."""
        if own := auth.get("appRole"):
            role = own.get("roleId") or self._secret(own["roleRef"])
            return f"{own['path']}/login", {"role_id": role, "secret_id": self._secret(own["secretRef"])}
        if own := auth.get("userPass"):
            return f"{own['path']}/login/{own['username']}", {"password": self._secret(own["secretRef"])}
        if own := auth.get("kubernetes"):
            return f"{own['mountPath']}/login", {
                "role": own["role"],
                "jwt": self._jwt(own["serviceAccountRef"]),
            }
        raise Failed(
            "unable to create client: cannot initialize Vault client: no valid auth method specified"
        )

    def _login(self, path: str, body: Manifest) -> str:
        try:
            found = self.ask("PUT", f"auth/{path}", body)
        except _Refused as error:
            raise Failed(f"unable to create client: unable to log in to auth method: {error}") from None
        return str(((found or {}).get("auth") or {}).get("client_token", ""))

    def _secret(self, selector: Manifest) -> str:
        return secret_value(self._cluster, selector, self._home)

    def _jwt(self, account: Manifest) -> str:
        audience = (account.get("audiences") or [self._cluster.issuer])[0]
        try:
            return self._cluster.service_account_token(
                account.get("namespace", ""), account["name"], audience
            )
        except answers.Refused:
            name = account["name"]
            raise Failed(
                f'cannot request Kubernetes service account token for service account "{name}": not found'
            ) from None

    def _check_engine(self) -> None:
        mount = self.spec.get("path", "").strip("/")
        try:
            found = self.ask("GET", f"sys/internal/ui/mounts/{mount}")
        except _Refused:
            return
        if found is None:
            raise Failed(f'unable to validate store: vault mount path "{mount}" was not found')
        data = found["data"]
        if data["type"] != "kv":
            raise Failed(f'vault mount path "{mount}" is not a kv secret engine, got "{data["type"]}"')
        there = f"v{(data.get('options') or {}).get('version') or '1'}"
        if there != self.spec.get("version", "v2"):
            raise Failed(
                f'vault mount path "{mount}" uses kv version {there} but store is configured for another'
            )

    # -- secrets ---------------------------------------------------------------------------------------
    def _path(self, key: str, kind: str) -> str:
        """Return the path of a key; the mount before it is taken away, whatever the secret is called."""
        mount = self.spec.get("path", "")
        if key.startswith(f"{mount}/"):
            key = key.removeprefix(f"{mount}/")
            key = key.removeprefix("data/") if self.v2 else key
        return f"{mount}/{kind}/{key}" if self.v2 else f"{mount}/{key}"

    def fields(self, key: str, version: str = "") -> dict[str, Any]:
        """Return a secret's fields.

        :raises Missing: there is none, or it is deleted
        :raises Failed: the identity may not
        """
        path = self._path(key, "data") + (f"?version={version}" if version else "")
        found = self._asked("GET", path)
        data = (found or {}).get("data")
        data = (data or {}).get("data") if self.v2 else data
        if data is None:
            raise Missing
        return dict(data)

    def names(self, folder: str) -> list[str]:
        """Return every name in a folder and below."""
        found = self._asked("LIST", self._path(folder, "metadata"))
        names: list[str] = []
        for key in ((found or {}).get("data") or {}).get("keys") or []:
            names += self.names(f"{folder}{key}") if key.endswith("/") else [f"{folder}{key}"]
        return names

    def metadata(self, name: str) -> dict[str, str]:
        found = (self._asked("GET", self._path(name, "metadata")) or {}).get("data") or {}
        system = {key: str(found[key]) for key in _SYSTEM if found.get(key) is not None}
        return system | {key: str(text) for key, text in (found.get("custom_metadata") or {}).items()}

    def _asked(self, method: str, path: str) -> Any:
        try:
            return self.ask(method, path)
        except _Refused as error:
            raise Failed(f"cannot read secret data from Vault: Error making API request. {error}") from None


def _signed_in(cluster: Cluster, manifest: Manifest) -> _Vault:
    found = _Vault(cluster, manifest)
    found.sign_in()
    return found


def check(cluster: Cluster, manifest: Manifest) -> None:
    """Sign in and look at the engine, which proves the identity and not one policy.

    :raises Failed: Vault does not know it, or the engine is another one
    """
    _signed_in(cluster, manifest)


def value(cluster: Cluster, manifest: Manifest, reference: Manifest) -> str:
    """Return one field, or all of them as JSON where none is named.

    :raises Failed: the store's identity may not, or there is no such field
    """
    fields = _signed_in(cluster, manifest).fields(reference["key"], reference.get("version", ""))
    wanted = reference.get("property", "")
    if not wanted:
        return json.dumps(fields, separators=(",", ":"), sort_keys=True)
    if wanted in fields:
        return reading_values.text_of(json.dumps(fields[wanted]))
    try:
        return reading_values.field(json.dumps(fields), wanted, reference["key"])
    except Failed:
        raise Failed(f'cannot find secret data for key: "{wanted}"') from None


def find(cluster: Cluster, manifest: Manifest, wanted: Manifest) -> dict[str, str]:
    """Return secrets as JSON, by their paths: those in a folder that match, or those with custom metadata.

    :raises Failed: the store's identity may not
    """
    tags: dict[str, str] = wanted.get("tags") or {}
    vault = _signed_in(cluster, manifest)
    if tags and not vault.v2:
        raise Failed("cannot perform find by tag operations with kv version v1")
    names = vault.names(f"{wanted['path']}/" if wanted.get("path") else "")
    if wanted.get("name"):
        names = reading_values.matching(names, wanted)
    else:
        names = [name for name in names if tags.items() <= vault.metadata(name).items()]
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = json.dumps(vault.fields(name), separators=(",", ":"), sort_keys=True)
        except Missing:
            continue
    return found
