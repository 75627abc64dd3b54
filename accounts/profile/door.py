"""The door of personal pages: whoever is signed in sees what is their own, and nothing of anybody else."""

import functools
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from accounts.access import other_method, sign_in_again, way_back
from accounts.organizations.models import User
from accounts.sign_in import sudo


class PersonalRequest(HttpRequest):
    """A request of somebody who is signed in."""

    user: User


def personal_view(
    *, methods: tuple[str, ...] = ("GET", "HEAD"), dangerous: bool = False
) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Let in whoever is signed in; `dangerous` pages ask for a fresh proof of who it is."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @functools.wraps(view)
        def door(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            if not request.user.is_authenticated:
                return sign_in_again(request)
            if request.method not in methods:
                return other_method(request, methods)
            if dangerous and not sudo.is_on(request):
                return sudo.ask(request, way_back(request))
            return view(request, *args, **kwargs)

        door.personal = True  # type: ignore[attr-defined]
        door.methods = methods  # type: ignore[attr-defined]
        door.dangerous = dangerous  # type: ignore[attr-defined]
        return door

    return decorate
