"""The door of personal pages: whoever is signed in sees what is their own, and nothing of anybody else."""

import functools
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from accounts.access import hindrance, sign_in_again
from accounts.organizations.models import User


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
            return hindrance(request, methods, dangerous=dangerous) or view(request, *args, **kwargs)

        door.personal = True  # type: ignore[attr-defined]
        door.methods = methods  # type: ignore[attr-defined]
        door.dangerous = dangerous  # type: ignore[attr-defined]
        return door

    return decorate
