"""What a report of an unexpected error may hold: no cookies, no form fields, no local variables."""

from collections.abc import ItemsView
from types import TracebackType
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter


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
