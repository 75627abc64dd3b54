"""How often one person may have the console ask a cloud or a cluster: each question takes a thread, and counts there."""

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from accounts.access import OrgRequest
from accounts.sign_in.limits import Limit

OUTSIDE = Limit("outside", 30, 60)


def paced(*methods: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Answer 429 with Retry-After to who sends these methods to such pages too often; below `org_view`."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @functools.wraps(view)
        def act(request: OrgRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            wait = request.method in methods and OUTSIDE.take(request.organization.pk, request.user.pk)
            if not wait:
                return view(request, *args, **kwargs)
            response = render(request, "429.html", status=429)
            response.headers["Retry-After"] = str(wait)
            return response

        return act

    return decorate
