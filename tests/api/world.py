"""Every call of the API, derived from its document, with what one in good order sends."""

import functools
import json
from collections.abc import Callable
from typing import Any

from config.api.root import api


def kubeconfig(host: str) -> str:
    """Return a kubeconfig of a cluster that nobody answers for."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "one",
            "clusters": [
                {"name": "one", "cluster": {"server": f"https://{host}", "insecure-skip-tls-verify": False}}
            ],
            "users": [{"name": "one", "user": {"token": "a-token"}}],
            "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        }
    )


YAML = """
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata: {name: theirs}
spec:
  provider: {aws: {service: SecretsManager, region: eu-west-3}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: db, namespace: shop}
spec:
  secretStoreRef: {kind: ClusterSecretStore, name: theirs}
  target: {name: db}
  data: [{secretKey: password, remoteRef: {key: prod/shop/db}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  template:
    spec:
      containers:
        - name: web
          env: [{name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}]
"""


def _destination(things: dict[str, Any]) -> Any:
    return things["destination"].pk


def _rotation(things: dict[str, Any]) -> Any:
    return things["rotation"].pk


METHODS = ("get", "post", "put", "patch", "delete")

# operation id → what names it in the path (beside `org`), `body` where one is sent, and `query` where one is needed. A callable is given `things`:
# one object of each kind, made in tests/api/conftest.py.
type Row = dict[str, Any]
ROWS: dict[str, Row] = {
    "get_organization": {},
    "change_organization": {"body": {"name": "Acme Platform"}},
    "list_members": {},
    "get_member": {"member": lambda things: things["member"].pk},
    "change_member_roles": {"member": lambda things: things["member"].pk, "body": {"roles": ["viewer"]}},
    "remove_member": {"member": lambda things: things["member"].pk},
    "list_invitations": {},
    "create_invitation": {"body": {"roles": ["viewer"], "days": 1}},
    "revoke_invitation": {"invitation": lambda things: things["invitation"].pk},
    "list_built_in_roles": {},
    "list_roles": {},
    "get_role": {"role": lambda things: things["role"].pk},
    "create_role": {"body": {"name": "Deployers", "permissions": ["deploy:run"]}},
    "change_role": {
        "role": lambda things: things["role"].pk,
        "body": {"name": "Readers", "permissions": ["cluster:view"], "version": 1},
    },
    "delete_role": {"role": lambda things: things["role"].pk},
    "list_audit_events": {},
    "get_audit_event": {"sequence": 2},
    "export_audit_events": {},
    "list_tokens": {},
    "create_token": {"body": {"name": "pipeline", "roles": ["viewer"], "expires": "never"}},
    "revoke_token": {"token": lambda things: things["token"].pk},
    "list_credentials": {},
    "get_credential": {"credential": "aws-prod"},
    "get_credential_usage": {"credential": "aws-prod"},
    "create_credential": {
        "body": {
            "cloud": "aws",
            "method": "static",
            "name": "aws-new",
            "values": {
                "partition": "aws",
                "access_key_id": "AKIATESTTESTTESTTEST",
                "secret_access_key": "s" * 40,
            },
        }
    },
    "change_credential": {"credential": "aws-prod", "body": {"version": 1, "name": "aws-renamed"}},
    "check_credential": {"credential": "aws-prod"},
    "delete_credential": {"credential": "aws-prod"},
    "list_rotations": {"credential": "aws-rotating"},
    "get_rotation": {"credential": "aws-rotating", "rotation": _rotation},
    "begin_rotation": {
        "credential": "aws-prod",
        "body": {"values": {"access_key_id": "AKIATESTTESTTESTTEST", "secret_access_key": "t" * 40}},
    },
    "deploy_rotation": {"credential": "aws-rotating", "rotation": _rotation, "body": {"clusters": []}},
    "retire_rotated_key": {
        "credential": "aws-rotating",
        "rotation": _rotation,
        "body": {"act": "removed"},
    },
    "take_rotation_back": {"credential": "aws-rotating", "rotation": _rotation},
    "list_clusters": {},
    "get_cluster": {"cluster": "prod"},
    "connect_cluster": {"body": {"name": "new", "kubeconfig": kubeconfig("127.0.0.1:1")}},
    "check_cluster": {"cluster": "prod"},
    "replace_cluster_kubeconfig": {"cluster": "prod", "body": {"kubeconfig": kubeconfig("127.0.0.1:1")}},
    "choose_cluster_cloud": {"cluster": "prod", "body": {"credential": "aws-prod"}},
    "find_clusters": {"credential": "aws-prod"},
    "connect_found_cluster": {
        "credential": "aws-prod",
        "body": {"name": "new", "locator": {"region": "eu-west-3", "name": "new"}},
    },
    "sign_in_to_cluster": {"cluster": "prod", "body": {"credential": "aws-prod", "place": "eu-west-3"}},
    "disconnect_cluster": {"cluster": "spare"},
    "list_services": {"cluster": "prod"},
    "refresh_services": {"cluster": "prod"},
    "list_deploys": {},
    "list_cluster_deploys": {"cluster": "prod"},
    "get_deploy": {"cluster": "prod", "number": 1},
    "get_deploy_log": {"cluster": "prod", "number": 1},
    "request_deploy": {"cluster": "prod", "body": {"reason": "a ticket"}},
    "cancel_deploy": {"cluster": "prod", "number": 2},
    "retry_deploy": {"cluster": "spare", "number": 1},
    "list_changes": {"cluster": "prod"},
    "look_at_changes": {"cluster": "prod"},
    "list_accesses": {},
    "list_cluster_accesses": {"cluster": "prod"},
    "list_providers": {"cluster": "prod"},
    "get_access": {"cluster": "prod", "access": "aws"},
    "create_access": {
        "cluster": "prod",
        "body": {
            "provider": "aws-secrets-manager",
            "method": "static",
            "name": "aws-new",
            "namespaces": ["shop"],
            "fields": {
                "region": "eu-west-3",
                "access_key_id": "AKIATESTTESTTESTTEST",
                "secret_access_key": "s" * 40,
            },
        },
    },
    "change_access": {"cluster": "prod", "access": "aws", "body": {"version": 1}},
    "test_access": {"cluster": "prod", "access": "aws"},
    "delete_access": {"cluster": "prod", "access": "unused"},
    "get_access_usage": {"cluster": "prod", "access": "aws"},
    "list_move_targets": {"cluster": "prod", "access": "aws"},
    "move_external_secrets": {"cluster": "prod", "access": "aws", "body": {"target": "unused"}},
    "list_secrets": {},
    "refresh_secrets": {"cluster": "prod", "access": "aws"},
    "get_secret": {"cluster": "prod", "access": "aws", "query": "name=prod/shop/db"},
    "create_secret": {
        "cluster": "prod",
        "access": "aws",
        "body": {"name": "prod/shop/new", "value": "a value", "tags": {"team": "shop"}},
    },
    "add_secret_version": {
        "cluster": "prod",
        "access": "aws",
        "query": "name=prod/shop/db",
        "body": {"value": "a value"},
    },
    "delete_secret": {"cluster": "prod", "access": "aws", "query": "name=prod/shop/db"},
    "restore_secret": {"cluster": "prod", "access": "aws", "query": "name=prod/shop/db"},
    "list_external_secrets": {},
    "get_external_secret": {"external_secret": lambda things: things["link"].pk},
    "create_external_secret": {
        "cluster": "prod",
        "body": {"access": "aws", "namespace": "shop", "key": "app/000/payments", "variable": "PAYMENTS"},
    },
    "create_external_secrets": {
        "cluster": "prod",
        "body": {"access": "aws", "namespace": "shop", "lines": ["ONE=prod/one", "TWO=prod/two#field"]},
    },
    "change_external_secret": {
        "external_secret": lambda things: things["link"].pk,
        "body": lambda things: {
            "revision": things["link"].updated_at.isoformat(),
            "refresh_seconds": 300,
        },
    },
    "relocate_external_secrets": {
        "cluster": "prod",
        "body": lambda things: {"ids": [str(things["link"].pk)], "namespace": "shop"},
    },
    "sync_external_secret": {"external_secret": lambda things: things["deployed"].pk},
    "sync_failed_external_secrets": {"cluster": "prod", "body": {}},
    "unlink_external_secret": {"external_secret": lambda things: things["link"].pk},
    "list_found": {"cluster": "prod"},
    "plan_take_over": {"cluster": "prod", "body": {"ids": ["shop/db"]}},
    "take_over": {"cluster": "prod", "body": {"ids": ["shop/db"]}},
    "export_cluster": {"cluster": "prod"},
    "plan_import": {"cluster": "prod", "body": {"yaml": YAML}},
    "import_yaml": {"cluster": "prod", "body": {"yaml": YAML}},
    "get_operator": {"cluster": "prod"},
    "request_operator_upgrade": {"cluster": "prod", "body": {"version": "2.9.0"}},
    "withdraw_operator_upgrade": {"cluster": "prod"},
    "prove_operator": {"cluster": "prod"},
    "list_operator_stops": {"cluster": "prod"},
    "uninstall_operator": {"cluster": "prod", "body": {"confirm": "prod"}},
    "list_destinations": {},
    "get_destination": {"destination": _destination},
    "create_destination": {
        "body": {
            "kind": "webhook",
            "name": "chat",
            "settings": {"url": "http://127.0.0.1:1/hook"},
            "topics": ["deploys"],
        }
    },
    "change_destination": {"destination": _destination, "body": {"topics": ["drift"]}},
    "delete_destination": {"destination": _destination},
    "test_destination": {"destination": _destination},
    "pause_destination": {"destination": _destination},
    "resume_destination": {"destination": _destination},
    "change_destination_secret": {"destination": _destination},
    "list_deliveries": {"destination": _destination},
    "send_delivery_again": {
        "destination": _destination,
        "delivery": lambda things: things["delivery"].pk,
    },
    "replay_destination": {"destination": _destination, "body": {"since": "2026-01-01T00:00:00Z"}},
}

# These ask a cluster or a cloud that isn't there in this table: 422 or 502 is as good as done.
REACHING = {
    "create_access",
    "create_secret",
    "add_secret_version",
    "delete_secret",
    "restore_secret",
    "create_credential",
    "begin_rotation",
    "take_rotation_back",
    "connect_cluster",
    "find_clusters",
    "connect_found_cluster",
    "sign_in_to_cluster",
    "replace_cluster_kubeconfig",
    "refresh_services",
    "list_found",
    "plan_take_over",
    "take_over",
    "list_operator_stops",
    "uninstall_operator",
}

# What is one person's own: to others with the permission it may be as if it were not there.
OWN = {"revoke_token"}


def document() -> dict[str, Any]:
    found: dict[str, Any] = api.get_openapi_schema()
    return found


@functools.cache
def operations() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return operation id → method, path and description, as the document has them."""
    return {
        call["operationId"]: (method, path, call)
        for path, methods in document()["paths"].items()
        for method, call in methods.items()
        if method in METHODS
    }


def path_of(name: str, arguments: dict[str, Any]) -> str:
    """Return an operation's path after the organization, with its arguments in it."""
    path: str = operations()[name][1].partition("{org}")[2]
    for key, value in arguments.items():
        path = path.replace(f"{{{key}}}", str(value))
    assert "{" not in path, f"{name} needs more arguments: {path}"
    return path


def ask(call: Callable[..., Any], name: str, things: dict[str, Any]) -> Any:
    """Make a call that is in good order."""
    row = {key: value(things) if callable(value) else value for key, value in ROWS[name].items()}
    body, query = row.pop("body", None), row.pop("query", "")
    path = path_of(name, row) + (f"?{query}" if query else "")
    return call(operations()[name][0].upper(), path, body)
