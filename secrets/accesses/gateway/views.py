"""GET /gateway/ACCESS/secret: outside of organizations, without a session, for the operators of clusters."""

import uuid

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET

from accesses.gateway import serving


@require_GET
@sensitive_variables()
def secret(request: HttpRequest, access: uuid.UUID) -> HttpResponse:
    """Answer `{"value": …}` to who has the access's token, or `{"error": …}` in words of ours."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    asked = serving.Asked(
        access=access,
        name=request.GET.get("name", ""),
        version=request.GET.get("version", ""),
        field=request.GET.get("property", ""),
        address=request.META.get("REMOTE_ADDR", ""),
    )
    try:
        value = serving.serve(asked, token.strip() if scheme.lower() == "bearer" else "")
    except serving.Refused as refusal:
        response = JsonResponse({"error": refusal.words}, status=refusal.status)
        if refusal.wait:
            response.headers["Retry-After"] = str(refusal.wait)
        if refusal.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
    else:
        response = JsonResponse({"value": value})
    response.headers["Cache-Control"] = "no-store"
    return response
