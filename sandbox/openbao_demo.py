"""OpenBao in the demo: its credentials lie in a file, and the demo's clusters sign in to it by their own tokens."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from sandbox.kubernetes.__main__ import write
from sandbox.openbao import AUDIENCE, ROLE, OpenBao

FILE = "openbao.json"


@contextmanager
def running(folder: Path) -> Iterator[tuple[OpenBao, dict[str, Any]]]:
    """Run it and yield it with what a newcomer needs to know of it; the file has every credential."""
    with OpenBao() as openbao:
        write(folder / FILE, json.dumps({"address": openbao.url, **openbao.keys}, indent=2))
        known = {"url": openbao.url, "role": ROLE, "audience": AUDIENCE, "keys": openbao.keys}
        yield openbao, known | {"file": str(folder / FILE)}


def trust(openbao: OpenBao, kubeconfigs: Mapping[str, str]) -> None:
    """Let the ServiceAccounts of clusters in: each kind by a path of its own, `kubernetes-eks` for example."""
    for kind, path in kubeconfigs.items():
        found = yaml.safe_load(Path(path).read_text())
        cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        openbao.trust(cluster["server"], ca, user["token"], path=f"kubernetes-{kind}")


def guide(found: dict[str, Any], file: str) -> str:
    """Return its lines on the screen; `file` is where its credentials are, as the newcomer types it."""
    reader = found["keys"]["reader"]
    return f"""  Vault             a real OpenBao at {found["url"]}, root engine secret (version 2) or kv (version 1)
                    without a key: path kubernetes-eks, or the other kind's, role {found["role"]}, audience {found["audience"]}
                    or user {reader["username"]}, password {reader["password"]}; AppRole, tokens, and who may write: {file}"""
