"""HashiCorp Vault, by a real OpenBao server."""

import json
from typing import Any

from accesses.models import Access
from clusters import kubeconfig
from sandbox.kubernetes import Cluster
from tests.accesses.worlds import Sandbox, World

METHODS = ("token", "userpass", "approle", "kubernetes")
FIELDS = {
    "token": ("token",),
    "userpass": ("password",),
    "approle": ("role_id", "secret_id"),
    "kubernetes": (),
}
# What a wrong credential is: another user's password, a secret ID of another role, a token that nobody made.
WRONG = {
    "token": {"token": "s.NobodyHasMadeThisTokenEver"},
    "userpass": {"password": "not-the-password"},
    "approle": {
        "role_id": "00000000-0000-4000-8000-000000000000",
        "secret_id": "11111111-0000-4000-8000-000000000000",
    },
    "kubernetes": {},
}


class Reading(str):
    """A value as its owner reads it: of a JSON object Vault keeps the fields, and not their order or spaces."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return str(self) == other or _object(str(self)) == _object(str(other)) is not None

    __hash__ = str.__hash__


def _object(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def text_of(fields: dict[str, Any]) -> str:
    """Return the text that a secret was made of: its one field `value`, or all of them as JSON."""
    return str(fields["value"]) if set(fields) == {"value"} else Reading(json.dumps(fields))


def configuration(openbao: Any, method: str, who: str = "reader") -> dict[str, str]:
    found = {"address": openbao.url, "namespace": "", "mount": "secret", "version": "2", "ca": openbao.ca}
    return found | {
        "token": {},
        "userpass": {"auth_path": "userpass", "username": who},
        "approle": {"auth_path": "approle"},
        "kubernetes": {"auth_path": "kubernetes", "role": who, "audience": "vault"},
    }[method]  # fmt: skip


def _nowhere(monkeypatch: Any) -> None:
    for access in Access.objects.all():
        moved = access.configuration | {"address": "http://127.0.0.1:9"}
        Access.objects.filter(pk=access.pk).update(configuration=moved)


def _over(openbao: Any) -> Any:
    """Return what ends all tokens; those that are used later are new ones."""
    return openbao.end_tokens


def world(sandbox: Sandbox, method: str) -> World:
    openbao = sandbox.fixture("openbao")
    keys = {who: {name: openbao.keys[who][name] for name in FIELDS[method]} for who in openbao.keys}
    by_configuration = method in ("userpass", "kubernetes")
    return World(
        method=method,
        configuration=configuration(openbao, method),
        good=keys["reader"],
        wrong=WRONG[method],
        limited=keys["limited"],
        permission="list on secret/metadata/",
        names=openbao.names,
        nowhere=_nowhere,
        value=lambda name: text_of(openbao.value(name)),
        slow=openbao.throttle,
        over=_over(openbao),
        writer=keys["writer"],
        namespace="written/",
        prepare=_prepare(sandbox, openbao) if method == "kubernetes" else lambda access: None,
        wrong_configuration=configuration(openbao, method, "nobody") if method == "kubernetes" else None,
        limited_configuration=configuration(openbao, method, "limited") if by_configuration else None,
        writer_configuration=configuration(openbao, method, "writer") if by_configuration else None,
    )


def _prepare(sandbox: Sandbox, openbao: Any) -> Any:
    """Return what gives an access a cluster that OpenBao trusts, with its ServiceAccount."""
    kube: Cluster = sandbox.fixture("vault_cluster")

    def prepare(access: Any) -> None:
        cluster = access.cluster
        cluster.kubeconfig = kubeconfig.reduce(kube.kubeconfig())
        cluster.save()
        namespace = cluster.operator_namespace
        if kube.get("Namespace", namespace) is None:
            kube.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}])
        account = {"name": access.service_account, "namespace": namespace}
        kube.load([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}])

    return prepare
