"""What every request of the API passes, and every answer: nothing unreadable goes in, nothing but JSON comes out."""

from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest, HttpResponse

from config.api import problems

type Next = Callable[[HttpRequest], HttpResponse]


def gate(get_response: Next) -> Next:
    """Middleware, the innermost: below /api/ every error is a problem document, also one that Django answers."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/api/"):
            return get_response(request)
        wrong = _unreadable(request)
        response = problems.respond(wrong) if wrong else get_response(request)
        if response.status_code >= 400 and response.headers.get("Content-Type") != problems.MEDIA:
            response = problems.instead_of(response)
        if spent := getattr(request, "api_spent", None):
            for name, value in spent.headers.items():
                response.headers[name] = value
        return response

    return middleware


def _unreadable(request: HttpRequest) -> problems.Problem | None:
    if "\0" in request.path:
        return problems.Problem(404)
    if b"\0" in unquote_to_bytes(request.META.get("QUERY_STRING", "")):
        return problems.Problem(400, "The query holds a NUL character.")
    return None
