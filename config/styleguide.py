"""The page that shows every component in every state; development and tests only."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from config import ui_tags


def show(request: HttpRequest) -> HttpResponse:
    context = {"statuses": list(ui_tags.BADGES), "tones": ["ok", "info", "warn", "bad", "idle"]}
    return render(request, "styleguide.html", context)
