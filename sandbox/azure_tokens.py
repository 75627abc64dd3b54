"""How one signs in to the Azure stand-in: by a client secret, or by a token that a federated credential trusts."""

import json
import time
import urllib.request
import uuid
from typing import Any
from urllib.parse import urlsplit

import jwt

from sandbox import tokens
from sandbox.azure_state import OTHER_TENANT, TENANT, App, SignInRefused, State

ARM = "https://management.azure.com"
AKS = "6dae42f8-4368-4678-94ff-3960e28e3630"
SERVICES = (ARM, AKS, "https://vault.azure.net", "https://graph.microsoft.com")
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def issue(state: State, app: App, audience: str, seconds: int = 3599) -> str:
    """Return an access token for a service, as Entra makes it."""
    now = int(time.time())
    claims = {
        "aud": audience, "iss": f"https://sts.windows.net/{app.tenant}/", "iat": now, "nbf": now, "exp": now + seconds,
        "appid": app.client, "oid": app.object, "sub": app.object, "tid": app.tenant, "uti": uuid.uuid4().hex,
    }  # fmt: skip
    made = jwt.encode(claims, state.key, algorithm="RS256", headers={"kid": "sandbox"})
    state.tokens[made] = (app, audience, time.time() + seconds)
    return made


def answer(state: State, tenant: str, form: dict[str, str]) -> dict[str, Any]:
    """Answer a request for a token.

    :raises SignInRefused: with the code that Entra gives
    """
    if code := state.faults.get("sign_in"):
        raise SignInRefused("invalid_request", int(code), "Refused by the sandbox.")
    app = _app(state, tenant, form.get("client_id", ""))
    if form.get("client_assertion"):
        _check_assertion(state, app, form)
    else:
        _check_secret(app, form.get("client_secret", ""))
    if app.disabled:
        raise SignInRefused("unauthorized_client", 7000112, f"Application '{app.client}' is disabled.")
    service = form.get("scope", "").removesuffix("/.default")
    if service not in SERVICES or not form.get("scope", "").endswith("/.default"):
        raise SignInRefused(
            "invalid_resource", 500011, f"The resource principal named {service} was not found."
        )
    seconds = int(state.faults.get("token_seconds", 3599))
    made = issue(state, app, service, seconds)
    return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": made}


def _app(state: State, tenant: str, client: str) -> App:
    if tenant not in (TENANT, OTHER_TENANT):
        raise SignInRefused("invalid_request", 90002, f"Tenant '{tenant}' not found.")
    app = state.apps.get(client)
    if app is None or app.tenant != tenant:
        message = f"Application with identifier '{client}' was not found in the directory '{tenant}'."
        raise SignInRefused("unauthorized_client", 700016, message)
    return app


def _check_secret(app: App, secret: str) -> None:
    if not secret:
        raise SignInRefused(
            "invalid_client", 7000216, "'client_assertion' or 'client_secret' is required.", 401
        )
    if secret not in app.secrets:
        raise SignInRefused("invalid_client", 7000215, "Invalid client secret provided.", 401)
    if app.secrets[secret] <= time.time():
        raise SignInRefused("invalid_client", 7000222, "The provided client secret keys are expired.", 401)


def _check_assertion(state: State, app: App, form: dict[str, str]) -> None:
    try:
        said = tokens.claims(form["client_assertion"])
    except tokens.Unreadable:
        raise SignInRefused("invalid_client", 50027, "JWT token is invalid or malformed.", 401) from None
    issuer, subject = str(said.get("iss")), str(said.get("sub"))
    trusts = [one for one in app.federated if one["issuer"] == issuer]
    if not trusts:
        raise _no_match(700211, "issuer", issuer)
    same = [one for one in trusts if one["subject"] == subject]
    if not same:
        alike = any(one["subject"].lower() == subject.lower() for one in trusts)
        raise _no_match(7002138 if alike else 700213, "subject", subject)
    if not any(one["audience"] in tokens.audiences(said) for one in same):
        raise _no_match(700212, "audience", str(said.get("aud")))
    _check_signature(state, issuer, form["client_assertion"])
    if not said.get("nbf", 0) <= time.time() < said.get("exp", 0):
        message = "Client assertion is not within its valid time range."
        raise SignInRefused("invalid_client", 700024, message, 401)


def _no_match(code: int, what: str, shown: str) -> Exception:
    message = f"No matching federated identity record found for presented assertion {what} '{shown}'."
    return SignInRefused("invalid_client", code, message, 401)


def _check_signature(state: State, issuer: str, token: str) -> None:
    jwks = state.issuers.get(issuer) or _fetched(issuer)
    if jwks is None:
        raise SignInRefused("invalid_request", 50166, "Request to External OIDC endpoint failed.")
    if not tokens.is_signed(token, jwks):
        raise SignInRefused("invalid_client", 700027, "Client assertion failed signature validation.", 401)


def _fetched(issuer: str) -> dict[str, Any] | None:
    """Return the keys that an issuer on this machine publishes, as Entra fetches those of a public one."""
    if urlsplit(issuer).hostname not in ("localhost", "127.0.0.1") or not issuer.startswith("http"):
        return None
    try:
        document = _get(f"{issuer}/.well-known/openid-configuration")
        return _get(str(document["jwks_uri"])) if document.get("issuer") == issuer else None
    except (OSError, LookupError, ValueError):
        return None


def _get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=5) as found:  # noqa: S310
        read: dict[str, Any] = json.load(found)
        return read
