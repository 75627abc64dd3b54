"""How one signs in to the Google stand-in: by a signed key, by a cluster's token, as a service account."""

import base64
import json
import re
import secrets
import time
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sandbox import tokens
from sandbox.google_state import OAuthRefused, Refused, State, denied

HOUR = 3600
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_TOKEN_ADDRESS = "https://oauth2.googleapis.com/token"
_PROVIDER = re.compile(
    r"//iam\.googleapis\.com/projects/(\d+)/locations/global/workloadIdentityPools/([^/]+)/providers/([^/]+)"
)
_GKE = re.compile(r"identitynamespace:([a-z0-9:.-]+)\.svc\.id\.goog:(https://.+)")
_MEMBER = "serviceAccount:"
_EMAIL_SCOPE = "https://www.googleapis.com/auth/userinfo.email"
_ACCOUNT = re.compile(r"system:serviceaccount:([^:]+):([^:]+)")


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    try:
        head, body, signature = token.split(".")
        return (
            json.loads(_decoded(head)),
            json.loads(_decoded(body)),
            f"{head}.{body}".encode(),
            _decoded(signature),
        )
    except ValueError:
        raise OAuthRefused("invalid_request", "Invalid JWT: Token must have three parts.") from None


def _signed(key: rsa.RSAPublicKey, head: dict[str, Any], text: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return head.get("alg") == "RS256"


def _issue(state: State, members: frozenset[str], scopes: Any, seconds: int = HOUR) -> str:
    token = f"ya29.sandbox-{secrets.token_urlsafe(32)}"
    state.tokens[token] = (members, time.time() + seconds)
    state.scopes[token] = scopes if isinstance(scopes, str) else " ".join(scopes or ())
    return token


def info(state: State, token: str) -> dict[str, Any]:
    """Return whom an access token stands for, as clusters ask; the address only if it was asked for.

    :raises OAuthRefused: it is none, or has ended
    """
    members, until = state.tokens.get(token, (frozenset[str](), 0.0))
    if time.time() >= until:
        raise OAuthRefused("invalid_token", "Invalid Value")
    found: dict[str, Any] = {"scope": state.scopes[token], "expires_in": str(int(until - time.time()))}
    email = next((one.removeprefix(_MEMBER) for one in members if one.startswith(_MEMBER)), "")
    account = state.accounts.get(email)
    if account is None:
        return found | {"principal": next(one for one in sorted(members) if one.startswith("principal:"))}
    found |= {"azp": account.number, "aud": account.number}
    return found | ({"email": email} if _EMAIL_SCOPE in found["scope"].split() else {})


def caller(state: State, authorization: str) -> frozenset[str]:
    """Return the members that a request's access token stands for.

    :raises Refused: 401
    """
    members, until = state.tokens.get(authorization.removeprefix("Bearer ").strip(), (frozenset[str](), 0.0))
    if time.time() >= until:
        message = "Request had invalid authentication credentials. Expected OAuth 2 access token."
        raise Refused(401, "UNAUTHENTICATED", message, reason="ACCESS_TOKEN_TYPE_UNSUPPORTED")
    return members


def jwt_grant(state: State, form: dict[str, str], url: str) -> dict[str, Any]:
    """Answer a service account's signed assertion with an access token."""
    if form.get("grant_type") != JWT_GRANT:
        raise OAuthRefused("unsupported_grant_type", "Invalid grant_type.")
    head, claims, text, signature = _parts(form.get("assertion", ""))
    account = state.accounts.get(str(claims.get("iss")))
    if account is None:
        raise OAuthRefused("invalid_grant", "Invalid grant: account not found")
    key = account.keys.get(str(head.get("kid")))
    if key is None or key.disabled or not _signed(key.public, head, text, signature):
        raise OAuthRefused("invalid_grant", "Invalid JWT Signature.")
    if account.disabled:
        raise OAuthRefused("disabled_client", "The OAuth client was disabled.", 401)
    now = time.time()
    fresh = claims.get("exp", 0) > now and claims.get("iat", 0) < now + 300
    if not fresh or claims["exp"] - claims["iat"] > HOUR:
        description = (
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
        )
        raise OAuthRefused("invalid_grant", description)
    if claims.get("aud") not in (_TOKEN_ADDRESS, f"{url}/token"):
        raise OAuthRefused("invalid_grant", "Invalid JWT: Failed audience check.")
    key.used_at = now
    token = _issue(state, frozenset({f"{_MEMBER}{account.email}"}), claims.get("scope"))
    return {"access_token": token, "expires_in": HOUR - 1, "token_type": "Bearer"}


def exchange(state: State, form: dict[str, str]) -> dict[str, Any]:
    """Answer a cluster's token with a federated access token."""
    if form.get("grant_type") != EXCHANGE:
        raise OAuthRefused("unsupported_grant_type", "Invalid grant_type.")
    audience, token = form.get("audience", ""), form.get("subject_token", "")
    if found := _GKE.fullmatch(audience):
        members = _by_cluster(state, token, found[1], found[2])
    elif found := _PROVIDER.fullmatch(audience):
        members = _by_pool(state, token, audience, (found[1], found[2], found[3]))
    else:
        description = 'Invalid value for "audience". This value should be the full resource name of the Identity Provider.'
        raise OAuthRefused("invalid_request", description)
    return {
        "access_token": _issue(state, members, form.get("scope")), "expires_in": HOUR, "token_type": "Bearer",
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }  # fmt: skip


def _checked(token: str, issuer: str, jwks: dict[str, Any] | None, audiences: set[str]) -> str:
    """Return the subject of a token that is what it says."""
    _, claims, _, _ = _parts(token)
    if claims.get("iss") != issuer:
        raise OAuthRefused("invalid_grant", "The issuer in ID Token does not match the expected ones.")
    if jwks is None:
        raise OAuthRefused("invalid_grant", "Error connecting to the given credential's issuer.")
    if not audiences & set(tokens.audiences(claims)):
        raise OAuthRefused("invalid_grant", "The audience in ID Token does not match the expected audience.")
    if not tokens.is_signed(token, jwks):
        raise OAuthRefused("invalid_grant", "Invalid signature in ID Token.")
    if claims.get("exp", 0) <= time.time():
        raise OAuthRefused("invalid_grant", "ID Token is stale to sign-in.")
    return str(claims.get("sub"))


def _by_pool(state: State, token: str, audience: str, names: tuple[str, str, str]) -> frozenset[str]:
    number, pool_id, provider_id = names
    project = state.project(number)
    pool = project.pools.get(pool_id) if project else None
    provider = (pool or {}).get("providers", {}).get(provider_id)
    if (
        project is None
        or pool is None
        or provider is None
        or provider.get("disabled")
        or pool.get("disabled")
    ):
        description = 'The target service indicated by the "audience" parameters is invalid.'
        raise OAuthRefused("invalid_target", description)
    oidc = provider["oidc"]
    uploaded = json.loads(oidc["jwksJson"]) if oidc.get("jwksJson") else None
    known = (state.issuers.get(oidc["issuerUri"]) or {}).get("jwks")
    jwks = uploaded or known or tokens.published(oidc["issuerUri"])
    allowed = set(oidc.get("allowedAudiences") or (audience, f"https:{audience}"))
    subject = _checked(token, oidc["issuerUri"], jwks, allowed)
    wanted = re.findall(
        r"(?:google\.subject|assertion\.sub)\s*==\s*[\"'](.+?)[\"']", provider.get("attributeCondition", "")
    )
    if wanted and subject not in wanted:
        description = "The given credential is rejected by the attribute condition."
        raise OAuthRefused("unauthorized_client", description)
    return frozenset(
        {f"principal:{_pool(number, pool_id)}/subject/{subject}", f"principalSet:{_pool(number, pool_id)}/*"}
    )


def _pool(number: str, pool: str) -> str:
    return f"//iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/{pool}"


def _by_cluster(state: State, token: str, project_id: str, cluster: str) -> frozenset[str]:
    """A GKE cluster's own pool: Google knows its issuer without being told."""
    project = state.project(project_id)
    known = {one: facts for one, facts in state.issuers.items() if cluster in (one, facts.get("cluster"))}
    if project is None or not known:
        raise OAuthRefused(
            "invalid_target", 'The target service indicated by the "audience" parameters is invalid.'
        )
    issuer, facts = next(iter(known.items()))
    pool = f"{project_id}.svc.id.goog"
    account = _ACCOUNT.fullmatch(_checked(token, issuer, facts["jwks"], {pool}))
    if account is None:
        raise OAuthRefused("invalid_grant", "The subject in ID Token is not a Kubernetes ServiceAccount.")
    namespace, name = account.groups()
    subject = f"{_pool(project.number, pool)}/subject/ns/{namespace}/sa/{name}"
    return frozenset({f"serviceAccount:{pool}[{namespace}/{name}]", f"principal:{subject}"})


def impersonate(state: State, members: frozenset[str], email: str, body: dict[str, Any]) -> dict[str, Any]:
    """Answer with a service account's access token, if the caller may use it."""
    permission = "iam.serviceAccounts.getAccessToken"
    account = state.accounts.get(email)
    project = state.projects[account.project] if account else None
    allowed = account is not None and (
        account.policy.grants(members, permission)
        or (project is not None and project.policy.grants(members, permission))
    )
    if account is None or not allowed:
        raise denied(permission, f"projects/-/serviceAccounts/{email}")
    if account.disabled:
        raise Refused(
            400, "FAILED_PRECONDITION", "The service account is disabled.", reason="ACCOUNT_STATE_INVALID"
        )
    seconds = min(HOUR, int(str(body.get("lifetime", f"{HOUR}s")).removesuffix("s")))
    token = _issue(state, frozenset({f"{_MEMBER}{email}"}), body.get("scope"), seconds)
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    return {"accessToken": token, "expireTime": until}
