"""Values that the operator's `webhook` provider reads: any HTTP address, made of a template, and a path into its JSON.

Templates are Go's, of which this knows fields, pipes and the functions in `_FUNCTIONS`.
"""

import base64
import json
import re
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.kubernetes import Cluster
from sandbox.reading_values import Failed, Missing, text_of

type Manifest = dict[str, Any]
type Data = Mapping[str, Mapping[str, str]]

# The property goes into the address, or nowhere.
own_fields = True
_LABEL = "external-secrets.io/type"
_ACTION = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|[^\s"`]+')
_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d+)\]|\[(?:'([^']*)'|"([^"]*)")\]""")
_FUNCTIONS: dict[str, Callable[..., str]] = {
    "print": lambda *words: "".join(words),
    "urlquery": lambda *words: urllib.parse.quote_plus("".join(words)),
    "b64enc": lambda text: base64.b64encode(text.encode()).decode(),
    "b64dec": lambda text: base64.b64decode(text, validate=True).decode(),
    "trim": str.strip,
    "lower": str.lower,
    "upper": str.upper,
    "quote": lambda text: json.dumps(text, ensure_ascii=False),
    "replace": lambda old, new, text: text.replace(old, new),
    "trimPrefix": lambda start, text: text.removeprefix(start),
    "trimSuffix": lambda end, text: text.removesuffix(end),
    "default": lambda other, text="": text or other,
}


# -- templates -------------------------------------------------------------------------------------------------
def filled(template: str, data: Data) -> str:
    """Return a template with its actions replaced.

    :raises Failed: it is none that the operator, or this, understands
    """
    return _ACTION.sub(lambda found: _piped(found[1].strip(), data), template)


def _piped(action: str, data: Data) -> str:
    value: list[str] = []
    for part in _pipes(action):
        words = _WORD.findall(part)
        if not words:
            raise Failed(f"failed to parse template: missing value for command in {{{{ {action} }}}}")
        name, arguments = words[0], [_argument(word, data) for word in words[1:]]
        if name in _FUNCTIONS:
            try:
                value = [_FUNCTIONS[name](*arguments, *value)]
            except (TypeError, ValueError):
                raise Failed(f"failed to execute template: error calling {name}") from None
        elif arguments or value:
            raise Failed(f'failed to parse template: function "{name}" not defined')
        else:
            value = [_argument(name, data)]
    return "".join(value)


def _pipes(action: str) -> list[str]:
    """Return the commands between the pipes, but not those within quotes."""
    parts = re.findall(r'(?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^|"`])+', action)
    return [part.strip() for part in parts] or [""]


def _argument(word: str, data: Data) -> str:
    if word[0] in '"`':
        return str(json.loads(word)) if word[0] == '"' else word[1:-1]
    match word.split("."):
        case ["", group, name]:
            return data.get(group, {}).get(name, "")
    raise Failed(f"failed to execute template: cannot evaluate {word}")


# -- paths -----------------------------------------------------------------------------------------------------
def at(body: Any, path: str) -> Any:
    """Return what a JSONPath such as `$.data['a b'][0]` leads to.

    :raises Failed: nothing
    """
    rest, found = path.strip().removeprefix("$"), body
    while rest:
        step = _STEP.match(rest)
        if step is None:
            raise Failed(f"failed to get response path {path}: parsing error")
        name, number, single, double = step.groups()
        key = next((one for one in (name, single, double) if one is not None), None)
        try:
            found = found[int(number)] if key is None else found[key]
        except (KeyError, IndexError, TypeError):
            raise Failed(f"failed to get response path {path}: unknown key {key or number}") from None
        rest = rest[step.end() :]
    return found


def _text(found: Any) -> str:
    return found if isinstance(found, str) else text_of(json.dumps(found, separators=(",", ":")))


# -- the provider ----------------------------------------------------------------------------------------------
def check(cluster: Cluster, manifest: Manifest) -> None:
    """Do what the operator does to call such a store valid: see whether something listens there.

    :raises Failed: nothing does
    """
    _secrets(cluster, manifest)
    parts = urllib.parse.urlsplit(manifest["spec"]["provider"]["webhook"]["url"])
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=5).close()
    except OSError:
        raise Failed(
            f"unable to validate store: error accessing external store: dial {parts.netloc}"
        ) from None


def value(cluster: Cluster, manifest: Manifest, reference: Manifest) -> str:
    """Return what the address answers for a remoteRef.

    :raises Failed: it refuses, or answers something else
    :raises Missing: it answers 404
    """
    spec = manifest["spec"]["provider"]["webhook"]
    raw = {name: str(reference.get(name) or "") for name in ("key", "version", "property")}
    found = _secrets(cluster, manifest)
    # Into an address everything goes as into a query; into headers and bodies as it is.
    quoted = {name: urllib.parse.quote_plus(text) for name, text in raw.items()}
    url = filled(spec["url"], found | {"remoteRef": quoted})
    data = found | {"remoteRef": raw}
    headers = {name: filled(text, data) for name, text in (spec.get("headers") or {}).items()}
    body = filled(spec.get("body") or "", data).encode() or None
    answer = _sent(urllib.request.Request(url, body, headers, method=spec.get("method") or "GET"), spec)  # noqa: S310
    path = (spec.get("result") or {}).get("jsonPath")
    if not path:
        return answer.decode()
    try:
        whole = json.loads(answer)
    except ValueError:
        raise Failed("failed to parse response json: invalid character") from None
    return _text(at(whole, filled(path, data)))


def _sent(request: urllib.request.Request, spec: Manifest) -> bytes:
    context = None
    if authority := spec.get("caBundle"):
        context = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    handlers: list[Any] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=20) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                raise Missing from None
            raise Failed(f"failed to get response: endpoint gave error {error.code} {error.reason}") from None
    except (OSError, ValueError):
        raise Failed("failed to get response: failed to call endpoint") from None


def _secrets(cluster: Cluster, manifest: Manifest) -> dict[str, dict[str, str]]:
    """Return the data of the store's Secrets by the names that templates know them by.

    :raises Failed: one is not there, or is not labelled for this
    """
    found: dict[str, dict[str, str]] = {}
    for one in manifest["spec"]["provider"]["webhook"].get("secrets") or ():
        reference = one["secretRef"]
        secret = cluster.get("Secret", reference["name"], reference.get("namespace", ""))
        if secret is None:
            raise Failed(f"failed to get clustersecretstore webhook secret {reference['name']}: not found")
        label = (secret["metadata"].get("labels") or {}).get(_LABEL)
        if label is None:
            raise Failed(
                f"secret does not contain needed label '{_LABEL}: webhook'. Update secret label to use it with webhook"
            )
        if label != "webhook":
            raise Failed("secret type is not 'webhook'")
        data = secret.get("data") or {}
        found.setdefault(one["name"], {}).update({k: base64.b64decode(v).decode() for k, v in data.items()})
    return found
