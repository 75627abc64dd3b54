"""One attempt to sign in at an identity provider, from the click to the answer, kept in the browser's own session."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts.organizations.models import Organization
from accounts.single_sign_on import oidc
from accounts.single_sign_on.models import IdentityProvider
from accounts.single_sign_on.oidc import Claims
from accounts.single_sign_on.reasons import Reason, Refused

FLOWS = "single_sign_on_attempts"
# An attempt is answered within ten minutes; a browser has at most so many at once.
SECONDS, SEVERAL = 600, 5


@dataclass(frozen=True, slots=True)
class Flow:
    """What an attempt was begun with. `purpose` is `enter`, `again` (a fresh proof) or `test`."""

    provider: str
    generation: int
    nonce: str
    verifier: str
    purpose: str
    back: str
    user: int | None
    at: float


def redirect_uri(organization: Organization) -> str:
    """Return the organization's own redirect URI: an answer to one provider is never taken for another's."""
    return f"{settings.BASE_URL}{reverse('sso_callback', kwargs={'slug': organization.slug})}"


def begin(
    request: HttpRequest,
    provider: IdentityProvider,
    *,
    purpose: str = "enter",
    back: str = "",
    hint: str = "",
) -> str:
    """Note an attempt in the session and return where the browser is sent.

    :raises Refused: the issuer does not answer, or not as one
    """
    issuer = oidc.discover(provider.issuer)
    state, user = oidc.random(), request.user
    flow = Flow(
        provider=str(provider.pk),
        generation=provider.generation,
        nonce=oidc.random(),
        verifier=oidc.random(),
        purpose=purpose,
        back=back,
        user=user.pk if user.is_authenticated else None,
        at=time.time(),
    )
    flows = sorted(_open(request).items(), key=lambda one: one[1]["at"])
    request.session[FLOWS] = dict(flows[1 - SEVERAL :]) | {state: asdict(flow)}
    parameters = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri(provider.organization),
        "scope": oidc.SCOPES,
        "state": state,
        "nonce": flow.nonce,
        "code_challenge": oidc.challenge(flow.verifier),
        "code_challenge_method": "S256",
    }
    parameters |= {"login_hint": hint} if hint else {}
    parameters |= {"prompt": "login", "max_age": "0"} if purpose == "again" else {}
    return oidc.authorization_url(issuer, parameters)


def _open(request: HttpRequest) -> dict[str, dict[str, Any]]:
    found = request.session.get(FLOWS)
    recent = time.time() - SECONDS
    return {state: flow for state, flow in found.items() if flow["at"] > recent} if found else {}


def take(request: HttpRequest, provider: IdentityProvider) -> Flow:
    """Return the attempt that an answer belongs to. It is gone from the session: an answer counts once.

    :raises Refused: there is none, or it was begun for another provider, or before this one changed
    """
    flows = _open(request)
    found = flows.pop(request.GET.get("state", ""), None)
    request.session[FLOWS] = flows
    flow = Flow(**found) if found else None
    if flow is None or (flow.provider, flow.generation) != (str(provider.pk), provider.generation):
        raise Refused(Reason.ATTEMPT)
    return flow


def answer(request: HttpRequest, provider: IdentityProvider, flow: Flow) -> Claims:
    """Return whom the provider means, as an answer to an attempt.

    :raises Refused: anything about the answer is wrong
    """
    given = request.GET
    issuer = oidc.discover(provider.issuer)
    # RFC 9207: an answer that names another issuer was mixed up on the way.
    if given.get("iss", None if issuer.says_issuer else issuer.issuer) != issuer.issuer:
        raise Refused(Reason.ISSUER)
    if "error" in given or not given.get("code"):
        declined = given.get("error") in ("access_denied", "login_required", "consent_required")
        raise Refused(Reason.DECLINED if declined else Reason.PROVIDER_ERROR)
    id_token, access_token = oidc.redeem(
        issuer,
        client_id=provider.client_id,
        secret=provider.client_secret or "",
        code=given["code"],
        verifier=flow.verifier,
        redirect_uri=redirect_uri(provider.organization),
    )
    verified = oidc.verify(issuer, id_token, client_id=provider.client_id, nonce=flow.nonce)
    claims = oidc.person(issuer, verified, access_token)
    if flow.purpose == "again" and (claims.auth_time or 0) < flow.at - oidc.LEEWAY:
        raise Refused(Reason.NOT_FRESH)
    return claims
