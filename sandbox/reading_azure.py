"""How the sandbox's operator reads from Azure key vaults: as the identity of an `azurekv` store, from the stand-in."""

import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from sandbox import reading_http, reading_values
from sandbox.azure_tokens import ASSERTION
from sandbox.kubernetes import Cluster, answers
from sandbox.reading import Manifest, secret_value
from sandbox.reading_values import Failed, Missing

_API = "7.0"
AUDIENCE, SCOPE = "api://AzureADTokenExchange", "https://vault.azure.net/.default"
_CLIENT, _TENANT = "azure.workload.identity/client-id", "azure.workload.identity/tenant-id"


def check(cluster: Cluster, manifest: Manifest) -> None:
    """Make a client for a store: a service principal's Secret need only be there, a ServiceAccount's token be taken.

    :raises Failed: there is no client
    """
    spec = _spec(manifest)
    if _kind(spec) == "ServicePrincipal":
        _of_secret(cluster, manifest)
    elif _kind(spec) == "WorkloadIdentity":
        _token(cluster, manifest)


def value(cluster: Cluster, manifest: Manifest, reference: Manifest) -> str:
    """Return what a remoteRef names, in its current version or the one that it asks for.

    :raises Failed: the store's identity may not
    :raises Missing: it is not there
    """
    kind, _, name = reference["key"].rpartition("/")
    if kind not in ("", "secret"):
        raise Failed(f"the sandbox's operator reads secrets, not {kind}s")
    return _value(cluster, manifest, _token(cluster, manifest), name, reference.get("version", ""))


def _value(cluster: Cluster, manifest: Manifest, token: str, name: str, version: str) -> str:
    path = f"/secrets/{urllib.parse.quote(name, safe='')}/{urllib.parse.quote(version, safe='')}"
    code, found = _ask(f"{_vault(cluster, manifest)}{path}?api-version={_API}", token=token)
    if code == 404:
        raise Missing
    if code != 200:
        raise Failed(_said("GetSecret", code, found))
    return str(found["value"])


def find(cluster: Cluster, manifest: Manifest, wanted: Manifest) -> dict[str, str]:
    """Return values by name or by tags: the operator lists the whole vault and keeps the enabled ones that match.

    :raises Failed: the store's identity may not
    """
    token, base = _token(cluster, manifest), _vault(cluster, manifest)
    names: list[str] = []
    url = f"{base}/secrets?api-version={_API}"
    while url:
        code, found = _ask(url, token=token)
        if code != 200:
            raise Failed(_said("GetSecrets", code, found))
        names += [one["id"].rpartition("/")[2] for one in found["value"] if _wanted(one, wanted)]
        url = found.get("nextLink") or ""
    return {name: _value(cluster, manifest, token, name, "") for name in names}


def _wanted(item: Manifest, wanted: Manifest) -> bool:
    name, tags = item["id"].rpartition("/")[2], wanted.get("tags") or {}
    matches = bool(reading_values.matching([name], wanted))
    return item["attributes"]["enabled"] and matches and tags.items() <= (item.get("tags") or {}).items()


def _spec(manifest: Manifest) -> Manifest:
    found: Manifest = manifest["spec"]["provider"]["azurekv"]
    return found


def _kind(spec: Manifest) -> str:
    return str(spec.get("authType") or "ServicePrincipal")


def _vault(cluster: Cluster, manifest: Manifest) -> str:
    """Return where the stand-in has the vault of a store's address."""
    name = (urllib.parse.urlsplit(_spec(manifest)["vaultUrl"]).hostname or "").partition(".")[0]
    return f"{_url(cluster)}/vaults/{name}"


def _url(cluster: Cluster) -> str:
    if not cluster.azure_url:
        raise Failed("unable to create client: the sandbox has no Azure")
    return cluster.azure_url


# -- who asks --------------------------------------------------------------------------------------------------
def _token(cluster: Cluster, manifest: Manifest) -> str:
    spec = _spec(manifest)
    if _kind(spec) == "ServicePrincipal":
        client, secret = _of_secret(cluster, manifest)
        form = {"client_id": client, "client_secret": secret}
        return _signed_in(cluster, str(spec["tenantId"]), form)
    if _kind(spec) == "WorkloadIdentity":
        return _exchanged(cluster, spec["serviceAccountRef"])
    found = cluster.ambient_azure
    if found is None or spec.get("identityId") not in (None, found["client"]):
        raise Failed(
            "azure.BearerAuthorizer#WithAuthorization: failed to refresh the Token: Identity not found"
        )
    form = {"client_id": found["client"], "client_secret": found["client_secret"]}
    return _signed_in(cluster, found["tenant"], form)


def _of_secret(cluster: Cluster, manifest: Manifest) -> tuple[str, str]:
    spec, namespace = _spec(manifest), manifest["metadata"].get("namespace", "")
    if not spec.get("tenantId"):
        raise Failed("missing tenantID in store config")
    references = spec.get("authSecretRef") or {}
    client, secret = (
        secret_value(cluster, references.get(name), namespace) for name in ("clientId", "clientSecret")
    )
    return client, secret


def _exchanged(cluster: Cluster, reference: Manifest) -> str:
    """Return an access token for a ServiceAccount's own, as its annotations say."""
    namespace, name = reference.get("namespace", ""), reference["name"]
    account = cluster.get("ServiceAccount", name, namespace)
    if account is None:
        raise Failed(f'serviceaccounts "{name}" not found')
    annotations = account["metadata"].get("annotations") or {}
    if not annotations.get(_CLIENT):
        raise Failed(
            f"missing clientID: either serviceAccountRef or service account annotation '{_CLIENT}' is missing"
        )
    try:
        token = cluster.service_account_token(namespace, name, AUDIENCE)
    except answers.Refused:
        raise Failed(f'serviceaccounts "{name}" not found') from None
    form = {"client_id": annotations[_CLIENT], "client_assertion_type": ASSERTION, "client_assertion": token}
    return _signed_in(cluster, annotations.get(_TENANT, ""), form)


def _signed_in(cluster: Cluster, tenant: str, form: dict[str, str]) -> str:
    url = f"{_url(cluster)}/{urllib.parse.quote(tenant, safe='')}/oauth2/v2.0/token"
    code, found = _ask(url, form=form | {"grant_type": "client_credentials", "scope": SCOPE})
    if code != 200:
        words = found.get("error_description", "")
        raise Failed(
            "azure.BearerAuthorizer#WithAuthorization: Failed to refresh the Token: "
            f"StatusCode={code} -- Original Error: {found.get('error', '')} {words}"
        )
    return str(found["access_token"])


# -- asking ----------------------------------------------------------------------------------------------------
def _said(call: str, code: int, found: dict[str, Any]) -> str:
    error = found.get("error") or {}
    inner = (error.get("innererror") or {}).get("code", "")
    return (
        f"keyvault.BaseClient#{call}: Failure responding to request: StatusCode={code} -- Original Error: "
        f'autorest/azure: Service returned an error. Status={code} Code="{error.get("code", "")}" '
        f'Message="{error.get("message", "")}" InnerError={{"code":"{inner}"}}'
    )


def _ask(url: str, *, token: str = "", form: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = reading_http.ask("POST" if form else "GET", url, headers=headers, form=form)
    except Failed:
        raise Failed("unable to create client: Azure does not answer") from None
    return answer.status, answer.body or {}
