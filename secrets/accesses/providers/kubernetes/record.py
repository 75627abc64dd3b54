"""Secrets of another Kubernetes cluster, or of another namespace of the same one."""

from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from accesses.providers import selecting, tokens
from accesses.providers.addresses import bundle
from accesses.providers.base import ELSEWHERE, Method, Provider
from accesses.providers.kubernetes import cards
from accesses.providers.kubernetes import client as kubernetes_client
from accesses.providers.kubernetes import manifests as kubernetes_manifests
from accesses.providers.kubernetes import references as kubernetes_references
from accesses.providers.kubernetes.forms import (
    NAME,
    CertificateForm,
    SameClusterForm,
    TokenForm,
    encoded,
    kubeconfig_of,
)
from accesses.providers.references import NotReadable
from accesses.providers.writing import Writing
from clusters import kubeconfig
from clusters import kubernetes as doors
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

SLUG = "kubernetes"
SAME = "service-account"
TOKEN, CERTIFICATE, KEY = "token", "tls.crt", "tls.key"
# What every namespace of a cluster has, with the authority of its API server.
_AUTHORITY = {"type": "ConfigMap", "name": "kube-root-ca.crt", "key": "ca.crt"}


# -- how the console signs in ---------------------------------------------------------------------------------
@sensitive_variables()
def _door(address: str, ca: str, user: dict[str, str]) -> doors.Door:
    try:
        return doors.connect_text(kubeconfig_of(address, ca, user))
    except kubeconfig.KubeconfigRefused as error:
        raise errors.CredentialRefused(str(error), "Correct the access.") from None
    except doors.ClusterError as error:
        raise errors.NotReachable(error.reason, error.remedy) from None


@sensitive_variables()
def _by_token(access: "Access | AccessDraft") -> doors.Door:
    token = (access.credential or {}).get("token", "")
    if not token:
        raise errors.CredentialRefused("There is no token.", "Enter a token of a ServiceAccount there.")
    configuration = access.configuration
    return _door(configuration["address"], configuration["ca"], {"token": token})


@sensitive_variables()
def _by_certificate(access: "Access | AccessDraft") -> doors.Door:
    found = access.credential or {}
    if not (found.get("certificate") and found.get("key")):
        raise errors.CredentialRefused("There is no client certificate.", "Enter a certificate and its key.")
    user = {
        "client-certificate-data": encoded(found["certificate"]), "client-key-data": encoded(found["key"]),
    }  # fmt: skip
    return _door(access.configuration["address"], access.configuration["ca"], user)


@sensitive_variables()
def _by_own_token(access: "Access | AccessDraft") -> doors.Door:
    """Return the cluster's own door, as the access's ServiceAccount."""
    stored = access.cluster.kubeconfig
    token = tokens.token(access, "")
    try:
        return doors.connect_text(kubeconfig.of_token(stored, token))
    except doors.ClusterError as error:
        raise errors.NotReachable(error.reason, error.remedy) from None


# -- what the operator gets -----------------------------------------------------------------------------------
@sensitive_variables()
def _token_data(access: "Access") -> dict[str, str]:
    token = (access.credential or {}).get("token", "")
    return {TOKEN: token} if token else {}


@sensitive_variables()
def _certificate_data(access: "Access") -> dict[str, str]:
    found = access.credential or {}
    pair = {CERTIFICATE: found.get("certificate", ""), KEY: found.get("key", "")}
    return {name: f"{text.strip()}\n" for name, text in pair.items()} if all(pair.values()) else {}


def _token_auth(access: "Access", namespace: str) -> dict[str, Any]:
    return {"token": {"bearerToken": selecting.key_of_secret(access, namespace, TOKEN)}}


def _certificate_auth(access: "Access", namespace: str) -> dict[str, Any]:
    certificate, key = (selecting.key_of_secret(access, namespace, one) for one in (CERTIFICATE, KEY))
    return {"cert": {"clientCert": certificate, "clientKey": key}}


def _own_auth(access: "Access", namespace: str) -> dict[str, Any]:
    return {"serviceAccount": selecting.service_account(access, namespace)}


def _store(access: "Access", auth: dict[str, Any] | None) -> dict[str, Any]:
    configuration = access.configuration
    if access.method == SAME:
        authority = _AUTHORITY | {"namespace": access.cluster.operator_namespace}
        server: dict[str, Any] = {"url": "https://kubernetes.default.svc", "caProvider": authority}
    else:
        server = {"url": configuration["address"], "caBundle": bundle(configuration["ca"])}
    return {"kubernetes": {"remoteNamespace": configuration["namespace"], "server": server, "auth": auth}}


def _writable(access: "Access", name: str) -> str:
    if not NAME.fullmatch(name):
        raise NotReadable("A Secret's name has small letters, digits, hyphens and dots, for example shop-db.")
    return name


METHODS = (
    Method(
        "token", "Token", "Another cluster: a ServiceAccount's token, stored encrypted here and in this cluster.",
        TokenForm, _token_auth, _by_token, secret_data=_token_data, setup="accesses/setup/kubernetes_token.html",
        fields={"credential": "token", "place": "address"},
    ),
    Method(
        "certificate", "Client certificate", "Another cluster: a certificate with its key, which ends on a day.",
        CertificateForm, _certificate_auth, _by_certificate, secret_data=_certificate_data,
        fields={"credential": "certificate", "place": "address"},
    ),
    Method(
        SAME, "This cluster's ServiceAccount", "No keys stored: another namespace of this same cluster.",
        SameClusterForm, _own_auth, _by_own_token, annotations=lambda access: {},
        setup="accesses/setup/kubernetes_service_account.html", fields={"place": "namespace"},
    ),
)  # fmt: skip
PROVIDER = Provider(
    slug=SLUG,
    label="Kubernetes Secrets",
    sentence="Secrets of another cluster, or of another namespace of this one.",
    methods=METHODS,
    store_provider=_store,
    connect=kubernetes_client.Client,
    cards=cards.of,
    references=kubernetes_references.SECRETS,
    policy=kubernetes_manifests.role("NAMESPACE", "keyhaven", "NAMESPACE"),
    policy_note="get reads values, which the operator does; list and watch are for names and for several at once. "
    "A Role holds in one namespace: the identity sees no other one's Secrets.",
    group=ELSEWHERE,
    typed_address=True,
    writing=Writing(
        policy=kubernetes_manifests.role("NAMESPACE", "keyhaven", "NAMESPACE", writes=True),
        versions=False,
        restores=False,
        most_bytes=900_000,
        name=_writable,
        check_tags=kubernetes_manifests.check_labels,
        text_field="value",
        note="A value that is a JSON object of strings becomes a Secret with those keys, any other one has the key value. "
        "There are no versions, and a deleted Secret does not come back. One that somebody else manages is left alone.",
    ),
    refusals=kubernetes_client.REFUSALS,
    limits="The API server shares its capacity among all who ask it, and answers 429 when it is busy. The console asks for "
    "a hundred names a request. The operator asks once for each value each time that it reads, and lists the whole "
    "namespace, with values, to take several.",
)  # fmt: skip
