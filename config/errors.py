"""Unexpected errors: what a report may hold (no cookies, no form fields, no local variables), and what a person sees."""

import sys
from collections.abc import ItemsView
from types import TracebackType
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.views.debug import SafeExceptionReporterFilter
from redis import RedisError

SECONDS = 5


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 with Retry-After while an engine is away, which passes; any other error is 500, a mistake of ours."""
    away = isinstance(sys.exception(), OperationalError | InterfaceError | RedisError)
    text = loader.get_template("503.html" if away else "500.html").template.source  # type: ignore[attr-defined]
    response = HttpResponse(text, status=503 if away else 500)
    if away:
        response.headers["Retry-After"] = str(SECONDS)
    return response


class SealedReporterFilter(SafeExceptionReporterFilter):
    """Hides every form value and every local variable, not only those that are marked as sensitive."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        return dict.fromkeys(request.POST, self.cleansed_substitute) if request else {}

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: TracebackType
    ) -> ItemsView[str, Any]:
        nothing: dict[str, Any] = {}
        return nothing.items()
