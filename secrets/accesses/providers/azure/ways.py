"""The ways to sign in to Azure: as a service principal, by the cluster's tokens, as the operator's nodes."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from accesses.providers import issuers, selecting, tokens
from accesses.providers.azure.forms import ManagedIdentityForm, PrincipalForm, WorkloadIdentityForm
from accesses.providers.base import Method, Obstacle, Situation
from credentials.clouds import azure, errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

# What the operator asks the cluster's tokens for, in each of Azure's clouds.
AUDIENCE = "api://AzureADTokenExchange"
CLIENT_ANNOTATION, TENANT_ANNOTATION = (
    "azure.workload.identity/client-id",
    "azure.workload.identity/tenant-id",
)
CLIENT_ID, CLIENT_SECRET = "client-id", "client-secret"


def facts(access: "Access | AccessDraft") -> dict[str, str]:
    """Return the tenant, the client and the cloud: of the access, or of the cloud credential that it uses instead."""
    if access.cloud_credential is not None:
        return dict(access.cloud_credential.facts)
    return dict(access.configuration)


# -- as a service principal ----------------------------------------------------------------------------
@sensitive_variables()
def _secret(access: "Access | AccessDraft") -> str:
    stored = (access.cloud_credential.secret if access.cloud_credential else access.credential) or {}
    return str(stored.get("client_secret") or "")


@sensitive_variables()
def _by_secret(access: "Access | AccessDraft") -> azure.Identity:
    secret, known = _secret(access), facts(access)
    if not secret:
        raise errors.CredentialRefused("There is no client secret.", "Enter one.")
    return azure.by_secret(azure.of(known), known.get("tenant", ""), known.get("client", ""), secret)


@sensitive_variables()
def _secret_data(access: "Access") -> dict[str, str]:
    secret = _secret(access)
    return {CLIENT_ID: facts(access).get("client", ""), CLIENT_SECRET: secret} if secret else {}


def _secret_auth(access: "Access", namespace: str) -> dict[str, Any]:
    return {
        "authType": "ServicePrincipal",
        "tenantId": facts(access).get("tenant", ""),
        "authSecretRef": {
            "clientId": selecting.key_of_secret(access, namespace, CLIENT_ID),
            "clientSecret": selecting.key_of_secret(access, namespace, CLIENT_SECRET),
        },
    }


# -- by the cluster's tokens -----------------------------------------------------------------------------
def _annotations(access: "Access | AccessDraft") -> dict[str, str]:
    known = access.configuration
    return {CLIENT_ANNOTATION: known.get("client", ""), TENANT_ANNOTATION: known.get("tenant", "")}


def _token_auth(access: "Access", namespace: str) -> dict[str, Any]:
    # The tenant stands in the ServiceAccount: the operator refuses one that is said twice.
    reference = selecting.service_account(access, namespace)
    return {"authType": "WorkloadIdentity", "serviceAccountRef": reference}


def _by_token(access: "Access | AccessDraft") -> azure.Identity:
    known = access.configuration
    place = replace(azure.of(known), audience=AUDIENCE)
    return azure.by_assertion(
        place,
        known.get("tenant", ""),
        known.get("client", ""),
        access.cluster.issuer,
        tokens.subject(access),
        partial(tokens.token, access, AUDIENCE),
    )


# -- as the operator's nodes -----------------------------------------------------------------------------
def _managed_auth(access: "Access", namespace: str) -> dict[str, Any]:
    identity = access.configuration.get("identity")
    return {"authType": "ManagedIdentity"} | ({"identityId": identity} if identity else {})


def _managed(access: "Access | AccessDraft") -> azure.Identity:
    raise tokens.of_the_operator()


# -- what stands in the way ------------------------------------------------------------------------------
def _token_obstacle(situation: Situation) -> Obstacle | None:
    cluster = situation.cluster
    if cluster.home == "azure" and not cluster.issuer:
        return Obstacle(
            f"The OIDC issuer of {cluster} is not known.",
            "Switch it on: az aks update --resource-group GROUP --name NAME --enable-oidc-issuer; then test the "
            "connection on the cluster's page.",
        )
    return issuers.obstacle(cluster.issuer, "a service principal")


def _managed_obstacle(situation: Situation) -> Obstacle | None:
    if situation.cluster.home == "azure":
        return None
    return Obstacle(
        f"{situation.cluster} is not an AKS cluster: its nodes have no identity at Azure.",
        "Use workload identity, or a service principal.",
    )


_PLACE = {"place": "vault"}
METHODS = (
    Method(
        "workload-identity", "Workload identity",
        "No keys stored: an app registration or managed identity of yours trusts this cluster's tokens.",
        WorkloadIdentityForm, _token_auth, _by_token, annotations=_annotations, obstacle=_token_obstacle,
        fields=_PLACE | {"trust": "client", "credential": "client"},
        setup="accesses/setup/azure_workload_identity.html",
    ),
    Method(
        "service-principal", "Service principal",
        "A client secret, stored encrypted here and in the cluster; it expires, and you rotate it.",
        PrincipalForm, _secret_auth, _by_secret, secret_data=_secret_data,
        fields=_PLACE | {"credential": "client_secret"}, setup="accesses/setup/azure_service_principal.html",
    ),
    Method(
        "ambient", "Managed identity",
        "No keys stored: the identity of the operator's nodes, Azure's default. One identity for the whole cluster.",
        ManagedIdentityForm, _managed_auth, _managed, obstacle=_managed_obstacle, fields=_PLACE,
        setup="accesses/setup/azure_ambient.html",
    ),
)  # fmt: skip
