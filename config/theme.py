"""Light, dark, or what the system says: a cookie of the server, so that the first paint is right."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

THEMES = ("light", "dark")


def chosen(request: HttpRequest) -> str:
    """Return "light", "dark", or "" for the system's."""
    theme = request.COOKIES.get("theme", "")
    return theme if theme in THEMES else ""


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Keep the choice and go back."""
    back = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    response = HttpResponse(status=204) if request.headers.get("HX-Request") else HttpResponseRedirect(back)
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        response.set_cookie(
            "theme", theme, max_age=31536000, secure=settings.SERVED_OVER_TLS, httponly=True, samesite="Lax"
        )
    else:
        response.delete_cookie("theme")
    return response
