"""The line by which somebody who manages a cluster gives an identity what deploys need there."""

import shlex
from urllib.parse import urlencode

from django.conf import settings

# Our own manifest (clusters/joining), which binds its roles to a user or a group of the cluster.
MANIFEST = "/setup/keyhaven-cluster.yaml"


def apply(**who: str) -> str:
    """Return the command for `user` or `group`, named as the cluster knows them."""
    url = f"{settings.BASE_URL.rstrip('/')}{MANIFEST}?{urlencode(who)}"
    return f"curl -fsSL {shlex.quote(url)} | kubectl apply -f -"
