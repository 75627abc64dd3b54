"""The one door: every page of an organization is an `org_view`, and every call of the API goes through `enter`."""

import functools
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django_htmx.middleware import HtmxDetails

from accounts.audit import origin
from accounts.audit import services as audit
from accounts.authority import Authority
from accounts.organizations import entering
from accounts.organizations.models import Membership, Organization, User
from accounts.roles import Permission, who_may
from accounts.sign_in import rules, sudo
from accounts.tokens.models import ApiToken


class OrgRequest(HttpRequest):
    """A request that came through the door: signed in, of a member, with the permission."""

    user: User
    htmx: HtmxDetails
    organization: Organization
    membership: Membership
    # What the one who asks may do: the member's, and with an API token what the token may as well.
    authority: Authority
    # The API token that was shown, or None in the console.
    token: ApiToken | None
    # Tells whether another permission is held: `request.allows(permission, cluster=…, namespace=…, secret=…)`.
    allows: Callable[..., bool]


class Refused(PermissionDenied):
    """A member without the permission; says which roles have it."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission
        super().__init__(f"{permission.sentence}: needs the role {' or '.join(who_may(permission))}.")


def way_back(request: HttpRequest) -> str:
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
    back = way_back(request)
    url = f"{reverse('account_login')}?{urlencode({'next': back})}"
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=401, headers={"HX-Redirect": url})
    return redirect(url)


def enter(
    request: HttpRequest,
    org: str,
    permission: Permission,
    *,
    cluster: str | None,
    token: ApiToken | None = None,
) -> Membership:
    """Let a member in and note who it is, on the request and for the audit log.

    :raises Http404: no member of that organization, or nothing of that cluster may be seen
    :raises Refused: a member without the permission
    """
    membership = entering.find(cast(User, request.user), org)
    if membership is None:
        raise Http404
    authority = membership.authority
    if token is not None:
        token.membership = membership
        authority = token.authority
    request.membership = membership  # type: ignore[attr-defined]
    request.organization = membership.organization  # type: ignore[attr-defined]
    request.authority = authority  # type: ignore[attr-defined]
    request.token = token  # type: ignore[attr-defined]
    request.allows = authority.allows  # type: ignore[attr-defined]
    origin.entered(
        organization_id=membership.organization_id,
        user_id=membership.user_id,
        roles=membership.role_names,
        token=token.label if token else "",
    )
    # Pages that ask by themselves are no sign of a person.
    if not request.headers.get("X-Poll"):
        entering.seen(membership)
    require(request, permission, cluster=cluster)
    return membership


def require(
    request: HttpRequest,
    permission: Permission,
    *,
    cluster: str | None = None,
    namespace: str | None = None,
    secret: str | None = None,
) -> None:
    """Refuse, and write down the refusal, unless the one who asks may do something in a place.

    :raises Http404: the place is one of which nothing may be seen
    :raises Refused: it may be seen, but not that done
    """
    authority: Authority = request.authority  # type: ignore[attr-defined]
    if not isinstance(permission, Permission):
        raise PermissionDenied
    if authority.allows(permission, cluster=cluster, namespace=namespace, secret=secret):
        return
    if authority.allows(permission) and not authority.allows(
        Permission.CLUSTER_VIEW, cluster=cluster, namespace=namespace
    ):
        raise Http404
    write_down(request, permission)
    raise Refused(permission)


def write_down(request: HttpRequest, permission: Permission) -> None:
    """Note in the audit log that a member was refused."""
    match = request.resolver_match
    audit.record(
        organization=request.organization,  # type: ignore[attr-defined]
        by=cast(User, request.user),
        action="permission.refused",
        target=request.membership,  # type: ignore[attr-defined]
        details={
            "permission": permission.value,
            "method": request.method,
            "page": match.view_name if match else "",
        },
    )


def hindrance(request: HttpRequest, methods: tuple[str, ...], *, dangerous: bool) -> HttpResponse | None:
    """Return what keeps somebody from a page who may have it, or None: another method, no fresh proof of who it is.

    405 is a page: whoever opens the address of a form that was refused would see a blank one.
    """
    if request.method not in methods:
        return HttpResponseNotAllowed(methods, render_to_string("405.html", request=request))
    if dangerous and not sudo.is_on(request):
        return sudo.ask(request, way_back(request))
    return None


def org_view[**P](
    permission: Permission, *, methods: tuple[str, ...] = ("GET", "HEAD"), dangerous: bool = False
) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Let in members with the permission: 404 for outsiders, 403 for other members, login for strangers.

    A page whose URL names a cluster asks for the permission on that cluster. `dangerous` pages ask for a fresh proof
    of who it is (sudo mode). The URL's `org` is taken out of the arguments; the view gets an `OrgRequest`.
    """

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @functools.wraps(view)
        def door(request: HttpRequest, org: str, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return sign_in_again(request)
            membership = enter(request, org, permission, cluster=kwargs.get("cluster"))
            if missing := rules.unmet(request, membership):
                return missing
            return hindrance(request, methods, dangerous=dangerous) or view(request, *args, **kwargs)

        door.required_permission = permission  # type: ignore[attr-defined]
        door.methods = methods  # type: ignore[attr-defined]
        door.dangerous = dangerous  # type: ignore[attr-defined]
        return door

    return decorate
