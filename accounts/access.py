"""The one door: every page of an organization is an `org_view`."""

import functools
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django_htmx.middleware import HtmxDetails

from accounts.organizations.models import Membership, Organization, User
from accounts.roles import Permission, who_may


class OrgRequest(HttpRequest):
    """A request that came through the door: signed in, of a member, with the permission."""

    user: User
    htmx: HtmxDetails
    organization: Organization
    membership: Membership

    def allows(self, permission: Permission) -> bool:
        """Tell whether the member holds another permission."""
        return self.membership.allows(permission)


class Refused(PermissionDenied):
    """A member without the permission; says which roles have it."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission
        super().__init__(f"{permission.sentence}: needs the role {' or '.join(who_may(permission))}.")


def _way_back(request: HttpRequest) -> str:
    """Return the page that the person was on: a form's own address may not be one that can be visited."""
    if request.htmx:  # type: ignore[attr-defined]
        return request.htmx.current_url_abs_path or "/"  # type: ignore[attr-defined]
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, allowed_hosts={request.get_host()}):
        return "/"
    parts = urlsplit(referer)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def sign_in_again(request: HttpRequest) -> HttpResponse:
    """Answer an expired session: to htmx 401 with the way to the login page, else a redirect; both lead back."""
    back = _way_back(request)
    url = f"{reverse('account_login')}?{urlencode({'next': back})}"
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=401, headers={"HX-Redirect": url})
    return redirect(url)


def _enter(request: HttpRequest, org: str, permission: Permission) -> None:
    memberships = Membership.objects.select_related("organization")
    membership = memberships.filter(user=cast(User, request.user), organization__slug=org).first()
    if membership is None:
        raise Http404
    if not isinstance(permission, Permission) or not membership.allows(permission):
        raise Refused(permission)
    membership.user = request.user  # type: ignore[assignment]
    request.membership = membership  # type: ignore[attr-defined]
    request.organization = membership.organization  # type: ignore[attr-defined]
    request.allows = membership.allows  # type: ignore[attr-defined]


def org_view[**P](
    permission: Permission, *, methods: tuple[str, ...] = ("GET", "HEAD")
) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Let in members with the permission: 404 for outsiders, 403 for other members, login for strangers.

    The URL's `org` is taken out of the arguments; the view gets an `OrgRequest`.
    """

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @functools.wraps(view)
        def door(request: HttpRequest, org: str, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return sign_in_again(request)
            _enter(request, org, permission)
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            return view(request, *args, **kwargs)

        door.required_permission = permission  # type: ignore[attr-defined]
        door.methods = methods  # type: ignore[attr-defined]
        return door

    return decorate
