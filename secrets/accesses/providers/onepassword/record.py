"""1Password: the items of one vault, by a Connect server or by a service account."""

import shlex
from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from accesses.providers import selecting
from accesses.providers.asking import Api
from accesses.providers.base import VAULTS, Method, Provider
from accesses.providers.onepassword import connect
from accesses.providers.onepassword import references as onepassword_references
from accesses.providers.onepassword import refusals as onepassword_refusals
from accesses.providers.onepassword.forms import ON, ConnectForm, ServiceAccountForm
from accesses.providers.writing import Writing
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

SLUG, LABEL = "onepassword", "1Password"
SERVICE_ACCOUNT = "service-account"
NOT_FROM_HERE = "A service account's items are encrypted from end to end; the console does not speak the protocol that opens them."


@sensitive_variables()
def _token(access: "Access | AccessDraft") -> str:
    return str((access.credential or {}).get("token") or "")


@sensitive_variables()
def _by_connect(access: "Access | AccessDraft") -> Api:
    token = _token(access)
    if not token:
        raise errors.CredentialRefused("There is no Connect token.", "Enter one.")
    return connect.api(access.configuration["address"], token)


def _by_service_account(access: "Access | AccessDraft") -> Any:
    if not _token(access):
        raise errors.CredentialRefused("There is no token of a service account.", "Enter one.")
    raise errors.NotPossibleHere(
        NOT_FROM_HERE,
        "Names are typed instead of browsed, as item/field. Whether they are read, the operator tells after a deploy.",
    )


@sensitive_variables()
def _token_data(access: "Access") -> dict[str, str]:
    return {"token": _token(access)}


def _selector(access: "Access", namespace: str) -> dict[str, Any]:
    return selecting.key_of_secret(access, namespace, "token")


def _connect_auth(access: "Access", namespace: str) -> dict[str, Any]:
    return {"secretRef": {"connectTokenSecretRef": _selector(access, namespace)}}


def _service_account_auth(access: "Access", namespace: str) -> dict[str, Any]:
    return {"serviceAccountSecretRef": _selector(access, namespace)}


def _cards(access: "Access | AccessDraft") -> dict[str, Any]:
    vault = str(access.configuration.get("vault", ""))
    if access.method == "connect":
        return {"command": connect.grant(vault, connect.READ)}
    asked = shlex.quote(f"{vault or 'VAULT'}:{connect.READ}")
    return {"command": f"op service-account create keyhaven --vault {asked}"}


def _store(access: "Access", auth: dict[str, Any] | None) -> dict[str, Any]:
    """Return `spec.provider`: the operator has one provider for Connect and another for service accounts."""
    configuration = access.configuration
    vault = configuration["vault"]
    if access.method != SERVICE_ACCOUNT:
        # The number is the order in which the operator looks through vaults.
        return {"onepassword": {"connectHost": configuration["address"], "vaults": {vault: 1}, "auth": auth}}
    spec: dict[str, Any] = {"vault": vault, "auth": auth}
    if configuration.get("cache") == ON:
        spec["cache"] = {"ttl": configuration["cache_ttl"], "maxSize": int(configuration["cache_size"])}
    return {"onepasswordSDK": spec}


METHODS = (
    Method(
        slug="connect",
        label="Connect server",
        consequence="Through a Connect server of your own: names can be browsed, and 1Password counts no requests.",
        form=ConnectForm,
        auth=_connect_auth,
        sign_in=_by_connect,
        secret_data=_token_data,
        setup="accesses/setup/onepassword_connect.html",
        fields={"credential": "token", "place": "vault"},
    ),
    Method(
        slug=SERVICE_ACCOUNT,
        label="Service account",
        consequence="No server of your own: the operator asks 1Password, which counts requests. Names are typed.",
        form=ServiceAccountForm,
        auth=_service_account_auth,
        sign_in=_by_service_account,
        secret_data=_token_data,
        setup="accesses/setup/onepassword_service_account.html",
        fields={"credential": "token", "place": "vault"},
        references=onepassword_references.SERVICE_ACCOUNT,
    ),
)
PROVIDER = Provider(
    slug=SLUG,
    label=LABEL,
    sentence="Items of one vault.",
    methods=METHODS,
    store_provider=_store,
    connect=connect.Client,
    cards=_cards,
    references=onepassword_references.CONNECT,
    policy=connect.grant("", connect.READ),
    policy_note="A token is for whole vaults: keep what a cluster reads in a vault of its own. Who may list items may read "
    "their values as well.",
    group=VAULTS,
    typed_address=True,
    writing=Writing(
        policy=connect.grant("", connect.WRITE),
        versions=False,
        restores=False,
        name=onepassword_references.name_of_new,
        note="An item of the category Password is made, with the value in its field password. Tags are words: name=value. "
        "1Password keeps a deleted item under Recently Deleted for its owner; it does not come back from here.",
    ),
    refusals=onepassword_refusals.REFUSALS,
    limits="A Connect server answers from its own copy and counts no requests. Service accounts are counted: by token and "
    "hour 1,000 reads and 100 writes, on Business 10,000 and 1,000; by account and day 1,000 requests, 5,000 on Teams and "
    "50,000 on Business. The operator's cache answers what it has without a request.",
)
