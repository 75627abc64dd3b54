"""What a session proved to identity providers, and what it is good for.

A session that began at an identity provider is *confined*: it is good for the organizations whose own providers it
came through, and for nothing else. A session that began with a password or a passkey is not; single sign-on adds a
proof to it.
"""

import time
from typing import Any

from allauth.account.signals import user_logged_in
from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from accounts.organizations.models import Organization, User
from accounts.single_sign_on.models import IdentityProvider
from accounts.single_sign_on.oidc import Claims

PROOFS, CONFINED = "single_sign_on", "single_sign_on_alone"
# For how long a sign-in at the provider stands for a password that was just typed.
FRESH_SECONDS = 15 * 60


def begin(request: HttpRequest, user: User, provider: IdentityProvider, claims: Claims) -> None:
    """Sign a person in, or add the proof to the session that the same person has; nobody else's session survives."""
    same = _is_that_person(request, user)
    confined = not same or is_confined(request)
    proofs = _proofs(request) if same else {}
    if same:
        # Not signed in once more: what was proved of that session long ago does not become fresh.
        request.session.cycle_key()
    else:
        request.session.flush()
        login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session[CONFINED] = confined
    proof = {
        "slug": provider.organization.slug,
        "provider": str(provider.pk),
        "generation": provider.generation,
        "factor": claims.factor,
        "auth_time": min(claims.auth_time or 0, int(time.time())),
    }
    request.session[PROOFS] = proofs | {str(provider.organization_id): proof}
    # Who lists sessions learns of this one, by its key of now.
    user_logged_in.send(sender=User, request=request, response=None, user=user)


def _is_that_person(request: HttpRequest, user: User) -> bool:
    now = request.user
    return (
        isinstance(now, User)
        and now.pk == user.pk
        and now.get_session_auth_hash() == user.get_session_auth_hash()
    )


def _proofs(request: HttpRequest) -> dict[str, dict[str, Any]]:
    found = request.session.get(PROOFS)
    return dict(found) if isinstance(found, dict) else {}


def is_confined(request: HttpRequest) -> bool:
    """Tell whether the session is good for nothing but the organizations that it has a proof for."""
    return bool(request.session.get(CONFINED))


def slugs(request: HttpRequest) -> list[str]:
    """Return the organizations that the session has a proof for, newest last."""
    return [proof["slug"] for proof in _proofs(request).values()]


def known(request: HttpRequest, organizations: list[Organization]) -> list[Organization]:
    """Keep, of some organizations, those that the session may know of."""
    if not is_confined(request):
        return organizations
    proofs = _proofs(request)
    return [organization for organization in organizations if str(organization.pk) in proofs]


def proof(request: HttpRequest, organization: Organization) -> dict[str, Any] | None:
    """Return the session's proof for an organization, as long as its provider is still the one that gave it.

    `factor` tells whether the sign-in counts as one with a second factor.
    """
    found = _proofs(request).get(str(organization.pk))
    if found is None:
        return None
    provider = (
        IdentityProvider.objects.filter(
            pk=found["provider"], organization=organization, generation=found["generation"]
        )
        .only("trusted_for_second_factor")
        .first()
    )
    if provider is None:
        return None
    return found | {"factor": found["factor"] or provider.trusted_for_second_factor}


def is_fresh(request: HttpRequest, organization: Organization) -> bool:
    """Tell whether the organization's provider says that the person signed in there a short while ago."""
    found = proof(request, organization)
    return found is not None and time.time() - found["auth_time"] < FRESH_SECONDS


def lead(request: HttpRequest, url_name: str, back: str, **arguments: str) -> HttpResponse:
    """Send the browser to a page of single sign-on, with the way back; htmx by HX-Redirect."""
    url = f"{reverse(url_name, kwargs=arguments)}?{urlencode({'next': back})}"
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=401, headers={"HX-Redirect": url})
    return redirect(url)
