"""Keeps a session that an identity provider made inside of the organizations whose providers it came through."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.single_sign_on import sessions

# What such a session may ask for outside of its organizations; all else, as an account's own pages, it may not.
OPEN = frozenset(
    {
        "healthz", "issuer", "issuer_keys", "theme", "styleguide", "account_logout",
        "setup_template", "setup_google_script", "setup_google_federation",
        "sso", "sso_enter", "sso_callback", "sso_needed", "sso_again", "sso_elsewhere",
    }
)  # fmt: skip


class Confine:
    """Answers what such a session may not ask for as a stranger is answered: sign in there.

    It comes before the door, so that a session of one organization doesn't even learn of which others the person is a
    member. By the organization's id, `rules.unmet` looks again.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or not sessions.is_confined(request):
            return None
        slugs = sessions.slugs(request)
        if "org" in kwargs:
            return None if kwargs["org"] in slugs else elsewhere(request)
        name = request.resolver_match.view_name if request.resolver_match else ""
        if name == "home" and slugs:
            return redirect("accounts:organization", org=slugs[-1])
        if name == "account_reauthenticate" and request.headers.get("X-Dialog"):
            # A dialog can't lead to the provider; the form is sent, and its answer does.
            return HttpResponse(status=204, headers={"X-Proved-Until": "0"})
        return None if name in OPEN else elsewhere(request)


def elsewhere(request: HttpRequest) -> HttpResponse:
    """Lead to the page that says where this session is good for, and how to sign in for more."""
    back = request.get_full_path() if request.method in ("GET", "HEAD") else "/"
    return sessions.lead(request, "sso_elsewhere", back)
