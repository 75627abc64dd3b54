"""Answers to a browser: whole pages, parts for htmx, redirects that htmx follows, toasts."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect


def wants_part(request: HttpRequest) -> bool:
    """Tell whether htmx asks for a part; boosted links and history restores want the whole page."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not (htmx.boosted or htmx.history_restore_request)


def render_page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    part: str | None = None,
    status: int = 200,
) -> HttpResponse:
    """Answer the page, or its partial `part` when htmx asks for a part."""
    name = f"{template}#{part}" if part and wants_part(request) else template
    response = render(request, name, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser to `url`, whoever asked: htmx by HX-Redirect, anybody else by 302."""
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(url)
    return HttpResponseRedirect(url)


def toast(request: HttpRequest, text: str) -> None:
    """Say on the next page that something worked. Errors are never toasts: they stay where they arose."""
    messages.success(request, text)
