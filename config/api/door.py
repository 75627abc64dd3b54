"""Who calls: the API token of a request, and the one door that pages have as well."""

from django.conf import settings
from django.http import Http404, HttpRequest
from ninja.security.base import AuthBase

from accounts import access
from accounts.roles import Permission
from accounts.tokens import services as tokens
from accounts.tokens.models import ApiToken
from config.api import limits
from config.api.problems import Problem


class Bearer(AuthBase):
    """Lets in a valid token of the organization in the URL that has a permission; no cookie is ever looked at."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, permission: Permission) -> None:
        super().__init__()
        self.permission = permission

    def __call__(self, request: HttpRequest) -> ApiToken:
        limits.ask(request)
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        address = request.META.get("REMOTE_ADDR", "")
        token = tokens.find(value.strip(), address=address) if scheme.lower() == "bearer" else None
        if token is None:
            limits.fail(request)
            raise Problem(401)
        limits.spend(request, "token", str(token.pk), settings.API_PER_TOKEN)
        self._enter(request, token)
        has_body = request.META.get("CONTENT_LENGTH") not in (None, "", "0")
        if has_body and request.content_type != "application/json":
            raise Problem(415)
        return token

    def _enter(self, request: HttpRequest, token: ApiToken) -> None:
        given = request.resolver_match.kwargs if request.resolver_match else {}
        # A person's other organizations are not this token's.
        if given.get("org") != token.membership.organization.slug:
            raise Http404
        request.user = token.membership.user
        try:
            access.enter(request, given["org"], self.permission, cluster=given.get("cluster"), token=token)
        finally:
            if hasattr(request, "membership"):
                tokens.used(token=token, address=request.META.get("REMOTE_ADDR", ""))
