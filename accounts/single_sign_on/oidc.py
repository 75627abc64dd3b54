"""The protocol: OpenID Connect's code flow with PKCE, as the issuer's own metadata describes it.

django-allauth's `openid_connect` is not used for it: in the code flow it does not verify the ID token's signature, sends
no nonce, takes the issuer from the answer instead of comparing it, lets the browser add scopes and parameters, and
keeps one account per issuer for all organizations.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests
from django.conf import settings
from django.core.cache import cache

from accounts.single_sign_on import texts
from accounts.single_sign_on.reasons import Reason, Refused
from config import egress

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
SCOPES = "openid email profile"
LARGEST = 256 * 1024
# Seconds for which an issuer's description and keys are kept, and by which clocks may differ.
KEPT = 600
LEEWAY = 60
# What `amr` says where the provider asked for more than a password (RFC 8176).
SECOND_FACTORS = frozenset({"mfa", "otp", "hwk"})
_VISIBLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Issuer:
    """What an issuer says of itself: addresses, and what it can do."""

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str
    by_post: bool
    says_issuer: bool


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified ID token says of a person. `email` is in lower case, or empty."""

    issuer: str
    subject: str
    email: str
    email_verified: bool
    name: str
    factor: bool
    auth_time: int | None


def allowed(url: str) -> bool:
    """Tell whether an address may be called: by TLS, or on this machine where the console itself has none."""
    try:
        parts = urlsplit(url)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        return False
    if not _VISIBLE.fullmatch(url) or parts.username or not parts.hostname or not port_is_one:
        return False
    if parts.scheme == "https":
        return True
    return parts.scheme == "http" and egress.is_loopback(parts.hostname) and not settings.SERVED_OVER_TLS


def discover(issuer: str, *, fresh: bool = False) -> Issuer:
    """Return what an issuer says of itself, at most ten minutes ago unless `fresh`.

    :raises Refused: it may not be called, is not reachable, no OpenID Connect issuer, or another one than it was called
    """
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    document = _kept(url, fresh=fresh)
    said = document.get("issuer")
    if not isinstance(said, str) or said.rstrip("/") != issuer.rstrip("/"):
        raise Refused(Reason.ISSUER if isinstance(said, str) else Reason.NOT_OPENID)
    found = [document.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    addresses = [address for address in found if isinstance(address, str) and allowed(address)]
    if len(addresses) < len(found) or "code" not in document.get("response_types_supported", ["code"]):
        raise Refused(Reason.NOT_OPENID)
    authorization, token, keys = addresses
    userinfo = document.get("userinfo_endpoint")
    return Issuer(
        issuer=said,
        authorization=authorization,
        token=token,
        keys=keys,
        userinfo=userinfo if isinstance(userinfo, str) and allowed(userinfo) else "",
        by_post="client_secret_post" in (document.get("token_endpoint_auth_methods_supported") or ()),
        says_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _kept(url: str, *, fresh: bool) -> dict[str, Any]:
    key = f"oidc:{hashlib.sha256(url.encode()).hexdigest()}"
    found = None if fresh else cache.get(key)
    if not isinstance(found, dict):
        found = _get(url)
        cache.set(key, found, KEPT)
    return found


def _get(url: str, token: str = "") -> dict[str, Any]:
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    return _json("GET", url, headers=headers)


def _json(method: str, url: str, **options: Any) -> dict[str, Any]:
    """Return the object that an address answers with 200.

    :raises Refused: it may not be called, is not reachable, or answers something else
    """
    try:
        with egress.session(LARGEST) as session:
            answer = session.request(method, url, **options)
    except egress.Forbidden:
        raise Refused(Reason.FORBIDDEN) from None
    except (egress.TooLarge, requests.exceptions.InvalidURL):
        raise Refused(Reason.NOT_OPENID) from None
    except requests.RequestException:
        raise Refused(Reason.UNREACHABLE) from None
    if answer.status_code >= 500:
        raise Refused(Reason.UNREACHABLE)
    try:
        found = answer.json() if answer.status_code == 200 else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused(Reason.NOT_OPENID)
    return found


def challenge(verifier: str) -> str:
    """Return PKCE's challenge for a verifier (S256)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def random() -> str:
    """Return 256 random bits, for a state, a nonce or a verifier."""
    return secrets.token_urlsafe(32)


def authorization_url(issuer: Issuer, parameters: dict[str, str]) -> str:
    """Return where the browser is sent."""
    joined = "&" if "?" in issuer.authorization else "?"
    return f"{issuer.authorization}{joined}{urlencode(parameters, quote_via=quote)}"


def redeem(
    issuer: Issuer, *, client_id: str, secret: str, code: str, verifier: str, redirect_uri: str
) -> tuple[str, str]:
    """Return the ID token and the access token that a code stands for.

    :raises Refused: the code, the verifier, the client or its secret is refused
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    options: dict[str, Any] = {"headers": {"Accept": "application/json"}}
    if secret and not issuer.by_post:
        # RFC 6749, 2.3.1: both are form-encoded before they are joined.
        options["auth"] = (quote(client_id, safe=""), quote(secret, safe=""))
    else:
        form |= {"client_id": client_id} | ({"client_secret": secret} if secret else {})
    try:
        found = _json("POST", issuer.token, data=form, **options)
    except Refused as refused:
        raise Refused(Reason.CODE if refused.reason == Reason.NOT_OPENID else refused.reason) from None
    tokens = (found.get("id_token"), found.get("access_token", ""))
    if not all(isinstance(token, str) for token in tokens) or not tokens[0]:
        raise Refused(Reason.TOKEN)
    return str(tokens[0]), str(tokens[1])


def verify(issuer: Issuer, token: str, *, client_id: str, nonce: str) -> dict[str, Any]:
    """Return the claims of an ID token whose signature, issuer, audience, times and nonce are right.

    :raises Refused: one of them is not
    """
    import jwt  # noqa: PLC0415  loads on first use

    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise Refused(Reason.TOKEN) from None
    if header.get("alg") not in ALGORITHMS:
        raise Refused(Reason.ALGORITHM)
    key = _key(issuer, header)
    wrong: tuple[tuple[type[Exception], Reason], ...] = (
        (jwt.ExpiredSignatureError, Reason.EXPIRED),
        (jwt.ImmatureSignatureError, Reason.EXPIRED),
        (jwt.InvalidAudienceError, Reason.AUDIENCE),
        (jwt.InvalidIssuerError, Reason.ISSUER),
        (jwt.InvalidSignatureError, Reason.SIGNATURE),
        (jwt.InvalidAlgorithmError, Reason.ALGORITHM),
        (jwt.PyJWTError, Reason.TOKEN),
    )
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[header["alg"]],
            audience=client_id,
            issuer=issuer.issuer,
            leeway=LEEWAY,
            options={"require": ["exp", "iat", "aud", "iss", "sub"]},
        )
    except jwt.PyJWTError as error:
        raise Refused(next(reason for kind, reason in wrong if isinstance(error, kind))) from None
    _check_party(claims, client_id)
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise Refused(Reason.NONCE)
    return claims


def _check_party(claims: dict[str, Any], client_id: str) -> None:
    """Refuse a token that was made for another client, even if it names this one too."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise Refused(Reason.AUDIENCE)


def _key(issuer: Issuer, header: dict[str, Any]) -> Any:
    """Return the issuer's key that a token names. An issuer may have changed keys since they were read."""
    import jwt  # noqa: PLC0415

    for fresh in (False, True):
        keys = _kept(issuer.keys, fresh=fresh).get("keys")
        fitting = [one for one in keys if _fits(one, header)] if isinstance(keys, list) else []
        if fitting:
            try:
                return jwt.PyJWK(fitting[0], algorithm=header["alg"])
            except (jwt.PyJWTError, ValueError, TypeError):
                raise Refused(Reason.SIGNATURE) from None
    raise Refused(Reason.SIGNATURE)


_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


def _fits(key: Any, header: dict[str, Any]) -> bool:
    return (
        isinstance(key, dict)
        and key.get("kty") == _KINDS[header["alg"][:2]]
        and key.get("use", "sig") == "sig"
        and key.get("alg", header["alg"]) == header["alg"]
        and ("kid" not in header or key.get("kid") == header["kid"])
    )


def person(issuer: Issuer, claims: dict[str, Any], access_token: str) -> Claims:
    """Return what is known of the person; what the ID token leaves out is asked at the userinfo address.

    :raises Refused: userinfo speaks of somebody else
    """
    told = claims
    if not claims.get("email") and issuer.userinfo and access_token:
        told = _get(issuer.userinfo, access_token)
        if told.get("sub") != claims["sub"]:
            raise Refused(Reason.SUBJECT)
    subject, auth_time, amr = claims["sub"], claims.get("auth_time"), claims.get("amr")
    if not subject or len(subject) > 255 or "\x00" in subject:
        raise Refused(Reason.TOKEN)
    return Claims(
        issuer=issuer.issuer,
        subject=subject,
        email=texts.address(told.get("email")),
        email_verified=told.get("email_verified") in (None, True, "true"),
        name=texts.line(told.get("name"), 120),
        factor=isinstance(amr, list) and bool(SECOND_FACTORS & {str(word) for word in amr}),
        auth_time=auth_time if isinstance(auth_time, int) else None,
    )
