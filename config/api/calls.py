"""How an app declares its calls: a path, a permission and a typed function."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from ninja import Router
from ninja.params.models import Path
from pydantic import BaseModel, ConfigDict

from accounts.access import OrgRequest
from accounts.roles import Permission
from config.api import idempotency
from config.api.door import Bearer

# What a call's function gets: a request that came through the door, as a page's view does.
ApiRequest = OrgRequest


class Sent(BaseModel):
    """The base of what is sent: an unknown field is a mistake, not silence."""

    model_config = ConfigDict(extra="forbid")


class Shown(BaseModel):
    """The base of what is answered; `Shape.model_validate(row)` reads a model's fields."""

    model_config = ConfigDict(from_attributes=True)


class Calls:
    """The calls of one resource, below /api/v1/organizations/{org}.

    A call's function takes the request, what is in the path, `page: Query[Paging]` and such, and at most one body
    (a `Sent`); it returns a `Shown`, a `Page`, None (204), or a response that streams. Its name is the operation's id,
    its docstring the documentation.
    """

    def __init__(self, name: str) -> None:
        self.router = Router(tags=[name])

    def get[F: Callable[..., Any]](
        self, path: str, permission: Permission, *, media: str = ""
    ) -> Callable[[F], F]:
        """Declare a call that changes nothing; `media` is the content type of one that streams."""
        return self._declare("GET", path, permission, 200, media=media)

    def post[F: Callable[..., Any]](
        self, path: str, permission: Permission, *, status: int = 201, keep: bool = True, once: bool = True
    ) -> Callable[[F], F]:
        """Declare a call that makes something; `keep` False where the answer holds a secret.

        With `once` False it takes no Idempotency-Key: what it does elsewhere is put on record in a transaction of its own.
        """
        return self._declare("POST", path, permission, status, keep=keep, once=once)

    def put[F: Callable[..., Any]](self, path: str, permission: Permission) -> Callable[[F], F]:
        """Declare a call that replaces something."""
        return self._declare("PUT", path, permission, 200)

    def patch[F: Callable[..., Any]](self, path: str, permission: Permission) -> Callable[[F], F]:
        """Declare a call that changes the fields that are sent."""
        return self._declare("PATCH", path, permission, 200)

    def delete[F: Callable[..., Any]](self, path: str, permission: Permission) -> Callable[[F], F]:
        """Declare a call that removes something."""
        return self._declare("DELETE", path, permission, 200)

    def _declare[F: Callable[..., Any]](
        self,
        method: str,
        path: str,
        permission: Permission,
        status: int,
        *,
        keep: bool = True,
        once: bool = True,
        media: str = "",
    ) -> Callable[[F], F]:
        def decorate(function: F) -> F:
            answer: Any = get_type_hints(function)["return"]
            streams = inspect.isclass(answer) and issubclass(answer, HttpResponseBase)
            empty = answer is type(None)
            code = 204 if empty else status
            summary, _, rest = inspect.cleandoc(function.__doc__ or "").partition("\n")
            self.router.add_api_operation(
                f"/organizations/{{org}}{path}",
                [method],
                _view(function, code, once=method == "POST" and once, keep=keep),
                auth=Bearer(permission),
                response={code: None if empty else str if streams else answer},
                operation_id=function.__name__,
                summary=summary.rstrip("."),
                description=rest.strip() or None,
                openapi_extra=_about(permission, media),
            )
            return function

        return decorate


def _about(permission: Permission, media: str) -> dict[str, Any]:
    about: dict[str, Any] = {"x-permission": permission.value}
    return about | {"x-media": media} if media else about


def _view(function: Callable[..., Any], status: int, *, once: bool, keep: bool) -> Callable[..., Any]:
    """Return what django-ninja calls: it has let the token in and checked what was sent."""

    @functools.wraps(function)
    def view(request: HttpRequest, org: str, **given: Any) -> HttpResponseBase:
        def act() -> HttpResponse:
            response: HttpResponse = _response(request, function(request, **given), status)
            return response

        if once:
            return idempotency.once(request, act, keep=keep)
        idempotency.refuse(request)
        return act()

    view._ninja_contribute_args = [("org", str, Path(..., description="The organization's short name."))]  # type: ignore[attr-defined]
    return view


def _response(request: HttpRequest, answer: Any, status: int) -> Any:
    if isinstance(answer, HttpResponseBase):
        return answer
    if answer is None:
        return HttpResponse(status=204, headers={"Content-Type": ""})
    response = HttpResponse(answer.model_dump_json(), "application/json", status)
    if cursor := getattr(request, "api_next", None):
        response["Link"] = f'<{_next(request, cursor)}>; rel="next"'
    return response


def _next(request: HttpRequest, cursor: str) -> str:
    query: Mapping[str, Any] = {**request.GET.dict(), "cursor": cursor}
    return request.build_absolute_uri(f"{request.path}?{urlencode(query)}")
