"""The line by which somebody who manages a cluster gives an identity what deploys need there."""

import shlex
from urllib.parse import urlencode

from django.conf import settings

# Our own manifest (clusters/joining), which binds its roles to a user or a group of the cluster.
MANIFEST = "/setup/keyhaven-cluster.yaml"


def apply(**who: str) -> str:
    """Return the command for `user` or `group`, named as the cluster knows them."""
    return _applied(shlex.quote(f"{_address()}?{urlencode(who)}"))


def apply_for_word(kind: str, word: str) -> str:
    """Return the command for somebody whom a word of the shell names, like `$OBJECT_ID`."""
    return _applied(f'"{_address()}?{kind}={word}"')


def _address() -> str:
    return f"{settings.BASE_URL.rstrip('/')}{MANIFEST}"


def _applied(address: str) -> str:
    return f"curl -fsSL {address} | kubectl apply -f -"
