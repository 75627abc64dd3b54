"""Reading a kubeconfig that somebody pasted: only what is known to be harmless is kept."""

import base64
import binascii
import re
from typing import Any
from urllib.parse import urlsplit

import yaml
from django.views.decorators.debug import sensitive_variables

from config import egress

LARGEST = 256 * 1024
# As long as its column.
LONGEST_ADDRESS = 300
_FILES = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile", "token-file"),
}


class KubeconfigRefused(ValueError):
    """The kubeconfig cannot be used; the message says what is wrong and what to do. It quotes no credential."""


class SeveralContexts(KubeconfigRefused):
    """There are several contexts, and none was chosen."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"The kubeconfig has {len(names)} contexts; choose the one to connect.")
        self.names = names


def reduce(text: str, context: str = "") -> str:
    """Return a kubeconfig with one context, rebuilt from the fields that are known.

    :raises SeveralContexts: `context` is empty and there are several
    :raises KubeconfigRefused: anything else that is not accepted
    """
    document = _load(text)
    name = _chosen(document, context)
    chosen = _named(document, "contexts", name, "context")
    cluster = _cluster(_named(document, "clusters", str(chosen.get("cluster", "")), "cluster"))
    return _written(cluster, _user(_named(document, "users", str(chosen.get("user", "")), "user")))


def bare(address: str, authority: str) -> str:
    """Return a kubeconfig that says where a cluster is and nobody who signs in; `authority` is PEM in base64.

    :raises KubeconfigRefused: the address may not be called, or the authority is none
    """
    return _written(_cluster({"server": address, "certificate-authority-data": authority}), {})


@sensitive_variables()
def of_token(reduced: str, token: str) -> str:
    """Return a kubeconfig of the same cluster as one made by `reduce` or `bare`, for somebody else who has a token."""
    return _written(dict(yaml.safe_load(reduced)["clusters"][0]["cluster"]), {"token": token})


def _written(cluster: dict[str, str], user: dict[str, str]) -> str:
    reduced = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "keyhaven",
        "contexts": [{"name": "keyhaven", "context": {"cluster": "cluster", "user": "user"}}],
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "user", "user": user}],
    }
    return str(yaml.safe_dump(reduced, sort_keys=False))


def server(reduced: str) -> str:
    """Return the API server's address of a kubeconfig made by `reduce` or `bare`."""
    return str(yaml.safe_load(reduced)["clusters"][0]["cluster"]["server"])


def authority(reduced: str) -> str:
    """Return the certificate authority of a kubeconfig made by `reduce` or `bare`, PEM in base64 on one line."""
    try:
        found = yaml.safe_load(reduced)["clusters"][0]["cluster"]["certificate-authority-data"]
    except (KeyError, IndexError, TypeError, ValueError, yaml.YAMLError):
        return ""
    return "".join(str(found).split())


def _load(text: str) -> dict[str, Any]:
    if len(text) > LARGEST:
        raise KubeconfigRefused("The kubeconfig is larger than 256 KB.")
    if "&" in text and "*" in text and any(isinstance(event, yaml.AliasEvent) for event in _events(text)):
        raise KubeconfigRefused("The kubeconfig uses YAML aliases; write it out in full.")
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise KubeconfigRefused("This is not YAML.") from error
    lists = ("clusters", "contexts", "users")
    if not isinstance(document, dict) or not all(isinstance(document.get(name), list) for name in lists):
        raise KubeconfigRefused("This is not a kubeconfig: it needs clusters, contexts and users.")
    return document


def _events(text: str) -> list[Any]:
    try:
        return list(yaml.parse(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError) as error:
        raise KubeconfigRefused("This is not YAML.") from error


def _chosen(document: dict[str, Any], context: str) -> str:
    names = [str(entry.get("name", "")) for entry in document["contexts"] if isinstance(entry, dict)]
    if context:
        if context not in names:
            raise KubeconfigRefused(f"There is no context {context!r} in the kubeconfig.")
        return context
    if not names:
        raise KubeconfigRefused("The kubeconfig has no context.")
    if len(names) > 1:
        raise SeveralContexts(names)
    return names[0]


def _named(document: dict[str, Any], kind: str, name: str, inner: str) -> dict[str, Any]:
    for entry in document[kind]:
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(inner), dict):
            return dict(entry[inner])
    raise KubeconfigRefused(f"The context names the {inner} {name!r}, which is not in the kubeconfig.")


def _no_files(kind: str, entry: dict[str, Any]) -> None:
    for name in _FILES[kind]:
        if entry.get(name):
            raise KubeconfigRefused(
                f"{name} names a file on your machine. Run “kubectl config view --raw --flatten --minify” "
                "and paste what it prints: it has the content inside."
            )


def _cluster(entry: dict[str, Any]) -> dict[str, str]:
    if entry.get("insecure-skip-tls-verify"):
        raise KubeconfigRefused(
            "insecure-skip-tls-verify would accept any server. Remove it and give certificate-authority-data."
        )
    _no_files("cluster", entry)
    if entry.get("proxy-url"):
        raise KubeconfigRefused("proxy-url is not supported: Keyhaven connects to the API server itself.")
    address = str(entry.get("server", ""))
    _check_address(address)
    try:
        egress.check(address)
    except egress.Forbidden as error:
        raise KubeconfigRefused(str(error)) from error
    authority = entry.get("certificate-authority-data")
    if not authority:
        raise KubeconfigRefused(
            "certificate-authority-data is missing: without it the server cannot be trusted."
        )
    _certificate("certificate-authority-data", authority)
    kept = {"server": address, "certificate-authority-data": str(authority)}
    if entry.get("tls-server-name"):
        kept["tls-server-name"] = str(entry["tls-server-name"])
    return kept


def _check_address(address: str) -> None:
    if not re.fullmatch(r"[\x21-\x7e]*", address) or len(address) > LONGEST_ADDRESS:
        raise KubeconfigRefused(
            f"The server's address has at most {LONGEST_ADDRESS} characters, all of them ASCII and none a space."
        )
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise KubeconfigRefused("The server's address is none: its host or its port cannot be.") from None
    if parts.scheme != "https" or not parts.hostname:
        raise KubeconfigRefused("The server's address must begin with https://.")
    if parts.username is not None or parts.query or parts.fragment:
        raise KubeconfigRefused("The server's address has a host, a port and a path, and nothing else.")


def _certificate(name: str, value: Any) -> None:
    try:
        decoded = base64.b64decode(str(value), validate=False)
    except (binascii.Error, ValueError) as error:
        raise KubeconfigRefused(f"{name} is not base64.") from error
    if b"-----BEGIN" not in decoded or not decoded.isascii():
        raise KubeconfigRefused(f"{name} holds no PEM block.")


def _user(entry: dict[str, Any]) -> dict[str, str]:
    for name in ("exec", "auth-provider"):
        if entry.get(name):
            raise KubeconfigRefused(
                f"{name} would run a command on the console's machine. Use a ServiceAccount's token instead: "
                "“kubectl create token NAME --duration 8760h”."
            )
    _no_files("user", entry)
    if any(str(name).startswith("as") for name in entry):
        raise KubeconfigRefused("Impersonation (as, as-groups) is not supported; use an identity of its own.")
    if entry.get("token"):
        return {"token": str(entry["token"])}
    if entry.get("client-certificate-data") and entry.get("client-key-data"):
        for name in ("client-certificate-data", "client-key-data"):
            _certificate(name, entry[name])
        return {name: str(entry[name]) for name in ("client-certificate-data", "client-key-data")}
    if entry.get("username"):
        raise KubeconfigRefused(
            "A user name and password are not accepted by API servers any more; use a token."
        )
    raise KubeconfigRefused("The user has neither a token nor a client certificate with its key.")
