"""The demo's world as data: six services in three namespaces, and the names of two thousand secrets."""

import json
import random
import secrets
from collections.abc import Iterator
from typing import Any

from sandbox.kubernetes import flavours

PASSWORD = "keyhaven-demo"
ACCOUNT = "123456789012"
# Somebody else's, for roles that are not in the cluster's own account.
OTHER_ACCOUNT = "210987654321"
REGIONS = ("eu-west-3", "us-east-1")
# How many of the names are parameters as well, at most.
PARAMETERS = 300
GOOGLE_PROJECT, GOOGLE_NUMBER = "acme-secrets", "123456789012"
GOOGLE_OTHER, GOOGLE_OTHER_NUMBER = "acme-other", "210987654321"
KEY_VAULT = "acme"
# Of the GKE cluster that the sandbox plays.
GOOGLE_CLUSTERS, GOOGLE_CLUSTERS_NUMBER = flavours.GOOGLE_PROJECT, "345678901234"
# The service account that the console signs in as; 6 letters are the fewest.
GOOGLE_CONSOLE = "keyhaven"
# Regional secrets, which the global endpoint does not list.
GOOGLE_REGIONAL = {"europe-west9": ("eu-audit-token", "eu-ledger-password", "eu-payments-key")}

_TEAMS = ("shop", "billing", "platform", "search", "mobile", "data")
_STAGES = ("prod", "staging", "dev")
_WHAT = (
    "db-password", "db-user", "api-key", "jwt-signing-key", "smtp-password", "stripe-key", "redis-password",
    "oauth-client-secret", "webhook-secret", "s3-access-key", "sentry-dsn", "tls-passphrase",
)  # fmt: skip


def names(count: int = 1000) -> list[str]:
    """Return believable names, the same each time, sorted; the first ones are those that the guide speaks of."""
    chance = random.Random(7)  # noqa: S311  names, not secrets
    found = {f"{stage}/{team}/{what}" for stage in _STAGES for team in _TEAMS for what in _WHAT}
    found |= {"prod/db-password", "staging/db-password", "prod/shop/database"}
    while len(found) < count:
        stage, team, what = chance.choice(_STAGES), chance.choice(_TEAMS), chance.choice(_WHAT)
        found.add(f"{stage}/{team}/tenant-{chance.randrange(1, 200):03d}/{what}")
    return sorted(found)[:count]


def google_names(count: int = 1000) -> list[str]:
    """Return the same names as IDs that Google takes, sorted."""
    return sorted(name.replace("/", "-") for name in names(count))


def value(name: str) -> str:
    """Return a value, new each time; nothing real is ever in the sandbox."""
    if name.endswith(("/database", "-database")):
        return json.dumps(
            {"username": "shop", "password": secrets.token_urlsafe(12), "port": 5432, "tls": True}
        )
    return secrets.token_urlsafe(16)


def tags(name: str) -> list[dict[str, str]]:
    """Return the tags of a secret: its stage and, where there is one, its team."""
    parts = name.split("/")
    found = [{"Key": "stage", "Value": parts[0]}]
    return found + ([{"Key": "team", "Value": parts[1]}] if len(parts) > 2 else [])


def kind_of_parameter(name: str) -> str:
    """Return the type of a parameter: credentials are encrypted, names are not, some are lists."""
    if name.endswith(("-user", "-dsn")):
        return "String"
    return "StringList" if name.endswith("tls-passphrase") else "SecureString"


def _container(name: str, image: str, **env: str) -> dict[str, Any]:
    return {"name": name, "image": image, "env": [{"name": key, "value": text} for key, text in env.items()]}


def _workload(kind: str, namespace: str, name: str, *containers: dict[str, Any]) -> dict[str, Any]:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": list(containers)}}
    spec: dict[str, Any] = {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod}
    api = "apps/v1"
    if kind == "CronJob":
        pod["spec"]["restartPolicy"] = "OnFailure"  # type: ignore[index]
        api, spec = "batch/v1", {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": pod}}}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def manifests(kind: str = "sandbox") -> Iterator[dict[str, Any]]:
    """Yield what is in a cluster of this kind before anybody connects it."""
    yield from flavours.KINDS[kind].manifests()
    for namespace in ("shop", "billing", "platform"):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    proxy = _container("proxy", "envoyproxy/envoy:v1.34")
    yield _workload(
        "Deployment", "shop", "api", _container("web", "acme/shop-api:2.4", LOG_LEVEL="info", PORT="8080")
    )
    yield _workload("Deployment", "shop", "frontend", _container("web", "acme/shop-frontend:2.4"), proxy)
    yield _workload("StatefulSet", "shop", "search", _container("search", "acme/search:1.9", HEAP="2g"))
    yield _workload(
        "Deployment", "billing", "invoices", _container("app", "acme/invoices:5.1", CURRENCY="EUR")
    )
    yield _workload("CronJob", "billing", "nightly-report", _container("report", "acme/report:1.0"))
    yield _workload(
        "Deployment", "platform", "mailer", _container("mailer", "acme/mailer:3.3", SMTP_HOST="mail")
    )
