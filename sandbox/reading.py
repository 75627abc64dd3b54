"""How the sandbox's operator reads a value: as the identity that the store names, from the clouds' stand-ins or a
`fake` store.
"""

import base64
import time
from collections.abc import Callable
from typing import Any

from sandbox import reading_values
from sandbox.kubernetes import Cluster
from sandbox.reading_values import Failed, Missing

type Manifest = dict[str, Any]

# Provider of a store → the module that reads it; it has `check(cluster, manifest)`, `value(cluster, manifest, reference)`
# and, where the operator can, `find(cluster, manifest, wanted)`. They raise Failed and Missing.
READERS: dict[str, str] = {
    "azurekv": "sandbox.reading_azure",
    "beyondtrust": "sandbox.reading_beyondtrust",
    "conjur": "sandbox.reading_conjur",
    "kubernetes": "sandbox.reading_kubernetes",
    "vault": "sandbox.reading_vault",
    "doppler": "sandbox.reading_doppler",
    "delinea": "sandbox.reading_delinea_dsv",
    "secretserver": "sandbox.reading_delinea_secret_server",
    "webhook": "sandbox.reading_webhook",
    "onepassword": "sandbox.reading_onepassword",
    "onepasswordSDK": "sandbox.reading_onepassword",
}
# How long a cloud's answer about a store's identity is believed.
_REFUSED = 1.0
GOOGLE_CHECK = 5.0


class Kept:
    """Answers of clouds, and refusals for a moment, so that looking five times a second asks them rarely."""

    def __init__(self) -> None:
        self._found: dict[Any, tuple[float, Any]] = {}

    def get[T](self, key: Any, seconds: float, ask: Callable[[], T]) -> T:
        """Return what `ask` returned or raised, asked anew after so many seconds.

        :raises Failed: what `ask` raised
        """
        until, answer = self._found.get(key, (0.0, None))
        if time.monotonic() >= until:
            try:
                answer, until = ask(), time.monotonic() + seconds
            except Failed as error:
                answer, until = error, time.monotonic() + _REFUSED
            self._found[key] = (until, answer)
        if isinstance(answer, Failed):
            raise Failed(str(answer))
        return answer  # type: ignore[no-any-return]


class Reader:
    """Reads values as each store's identity."""

    def __init__(self, cluster: Cluster, aws_url: str, google_url: str = "") -> None:
        self.cluster, self.aws_url, self.google_url = cluster, aws_url, google_url
        self.kept = Kept()

    def check(self, manifest: Manifest) -> None:
        """Make a client for a store, which proves as little as the operator's own check: static keys need only be
        there, a role must let the cluster's token in.

        :raises Failed: there is no client
        """
        provider = manifest["spec"]["provider"]
        if "aws" in provider:
            self._aws().check(manifest)
        elif module := _reader_of(manifest):
            metadata = manifest["metadata"]
            key = (metadata["uid"], metadata["generation"])
            self.kept.get(key, GOOGLE_CHECK, lambda: module.check(self.cluster, manifest))
        elif "gcpsm" in provider:
            metadata = manifest["metadata"]
            self.kept.get(
                (metadata["uid"], metadata["generation"]), GOOGLE_CHECK, lambda: self._check_google(manifest)
            )

    def value(self, manifest: Manifest, reference: Manifest) -> str:
        """Return what a remoteRef names.

        :raises Failed: the store's identity may not
        :raises Missing: it is not there
        """
        provider = manifest["spec"]["provider"]
        if "fake" in provider:
            text = self._fake(provider["fake"], reference)
        elif "gcpsm" in provider:
            text = self._google(manifest, reference)
        elif module := _reader_of(manifest):
            # What takes the field out itself says so by `own_fields`.
            text = str(module.value(self.cluster, manifest, reference))
            if getattr(module, "own_fields", False):
                return text
        else:
            text = self._aws().value(manifest, reference)
        wanted = reference.get("property")
        return reading_values.field(text, wanted, reference["key"]) if wanted else text

    def keys(self, manifest: Manifest, reference: Manifest) -> dict[str, str]:
        """Return every key of the JSON object that an `extract` names, as keys of a Secret.

        :raises Failed: as `value`, or it is no object, or no keys
        """
        module = _reader_of(manifest)
        if hasattr(module, "keys"):
            return reading_values.converted(module.keys(self.cluster, manifest, reference), "extract")
        if hasattr(module, "whole"):
            # What a value is as a whole is not what every key is taken of.
            text = str(module.whole(self.cluster, manifest, reference))
        else:
            text = self.value(manifest, reference)
        found = reading_values.keys(text, reference["key"])
        return reading_values.converted(found, "extract")

    def find(self, manifest: Manifest, wanted: Manifest) -> dict[str, str]:
        """Return every value that a `find` asks for, by the names as keys of a Secret; nothing is no failure.

        :raises Failed: the store's identity may not, or the names are no keys
        """
        provider = manifest["spec"]["provider"]
        if not (wanted.get("name") or wanted.get("tags")):
            raise Failed("unexpected find operator")
        if "fake" in provider:
            data = {one["key"]: str(one["value"]) for one in provider["fake"]["data"]}
            found = {name: data[name] for name in reading_values.matching(data, wanted)}
        elif "gcpsm" in provider:
            found = self._reading_google().find(self.cluster, manifest, wanted, self.google_url)
        elif module := _reader_of(manifest):
            if not hasattr(module, "find"):
                raise Failed("GetAllSecrets not implemented")
            found = module.find(self.cluster, manifest, wanted)
        else:
            found = self._aws().find(manifest, wanted)
        return reading_values.converted(found, "find")

    @staticmethod
    def _fake(provider: Manifest, reference: Manifest) -> str:
        for entry in provider["data"]:
            if entry["key"] == reference["key"] and entry.get("version", "") == reference.get("version", ""):
                return str(entry["value"])
        raise Missing

    def _aws(self) -> Any:
        from sandbox import reading_aws

        return reading_aws.Aws(self.cluster, self.aws_url, self.kept)

    def _check_google(self, manifest: Manifest) -> None:
        google = self._reading_google()
        google.check(self.cluster, manifest, self.google_url)

    def _google(self, manifest: Manifest, reference: Manifest) -> str:
        google = self._reading_google()
        return str(google.value(self.cluster, manifest, reference, self.google_url))

    def _reading_google(self) -> Any:
        import importlib

        if not self.google_url:
            raise Failed("unable to create client: the sandbox has no Google")
        return importlib.import_module("sandbox.reading_google")


def _reader_of(manifest: Manifest) -> Any:
    """Return the module that reads a store, or None."""
    import importlib

    name = next((module for kind, module in READERS.items() if kind in manifest["spec"]["provider"]), "")
    return importlib.import_module(name) if name else None


def secret_value(cluster: Cluster, selector: Manifest | None, namespace: str) -> str:
    """Return what a secret selector of a store points at; `namespace` counts where it names none.

    :raises Failed: the Secret or its key is missing
    """
    selector = selector or {}
    namespace, name = selector.get("namespace", namespace), selector.get("name", "")
    secret = cluster.get("Secret", name, namespace)
    if secret is None:
        raise Failed(
            f'cannot get Kubernetes secret "{name}" from namespace "{namespace}": secrets "{name}" not found'
        )
    data = secret.get("data") or {}
    key = selector.get("key", "")
    if key not in data:
        raise Failed(f'cannot find secret data for key: "{key}"')
    return base64.b64decode(data[key]).decode()
