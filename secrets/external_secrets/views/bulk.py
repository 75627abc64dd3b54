"""Linking a list at once, and moving links to another place."""

from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from accesses.models import Access, AccessQuerySet
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters.models import Service
from config import pages
from external_secrets import batches, costs, forms, listing, placing, services
from external_secrets.models import ExternalSecret
from external_secrets.views import lookup

# So many links can be chosen to move at once: their ids are in the address.
MOST = 200


def _accesses(request: OrgRequest) -> AccessQuerySet:
    return Access.objects.within(request.organization, request.authority, Permission.EXTERNAL_SECRET_MANAGE)


def _access(request: OrgRequest, service: Service | None) -> Access | None:
    """Return the access that is asked for, else the first one that fits the service."""
    asked = request.POST if request.method == "POST" else request.GET
    if asked.get("access"):
        return lookup.access(request, asked["access"], Permission.EXTERNAL_SECRET_MANAGE)
    owned = _accesses(request).select_related("cluster__organization")
    fitting = owned.filter(cluster=service.cluster_id) if service else owned
    return fitting.order_by("cluster__name", "name").first()


def _initial(request: OrgRequest, access: Access, service: Service | None) -> dict[str, Any]:
    keys = [key.replace("\x00", "") for key in request.GET.getlist("key")[: batches.LONGEST]]
    places = forms.places(access, [service]) if service else []
    namespace = request.GET.get("namespace", "")
    return {
        "lines": listing.write(keys),
        "scope": "namespace" if namespace and not service else "service",
        "namespace": namespace,
        "place": places[0][0] if len(places) == 1 else "",
        "refresh_seconds": access.refresh_seconds or forms.DEFAULT_REFRESH,
    }


@org_view(Permission.EXTERNAL_SECRET_MANAGE, methods=("GET", "HEAD", "POST"))
def bulk(request: OrgRequest) -> HttpResponse:
    """Take a list of names, say of each line what it becomes and what is wrong, and link all or none."""
    asked = request.POST if request.method == "POST" else request.GET
    service = lookup.service(request, asked.get("service", ""), Permission.EXTERNAL_SECRET_MANAGE)
    access = _access(request, service)
    if access is None:
        return pages.go_to(
            request, reverse("external_secrets:browse", kwargs={"org": request.organization.slug})
        )
    around, limits = lookup.around(request, access), lookup.limits(request, access.cluster)
    if request.method != "POST":
        initial = _initial(request, access, service)
        form = forms.BulkForm(access, around, initial=initial, limits=limits)
        return _page(
            request, form, service, shown=forms.BulkForm(access, around, data=initial, limits=limits)
        )
    form = forms.BulkForm(access, around, data=request.POST, limits=limits)
    only_look = "preview" in request.GET or "check" in request.POST
    if form.is_valid() and not only_look:
        made = _link(request, form)
        if made:
            pages.toast(request, f"{made} secrets are linked. Deploy {access.cluster} to bring them there.")
            assert form.target_place is not None  # noqa: S101  a valid form has one
            return pages.go_to(request, lookup.place_url(request, form.target_place))
    return _page(request, form, service, status=422 if not only_look and form.errors else 200)


def _link(request: OrgRequest, form: forms.BulkForm) -> int:
    place = form.target_place
    assert place is not None  # noqa: S101  a valid form has one
    try:
        return batches.link_many(access=form.access, place=place, by=request.user, lines=form.line_values)
    except batches.Refused as error:
        for position, text in error.errors.items():
            form.listed.lines[position].error = text
            form.add_error("lines", f"Line {form.listed.lines[position].number}: {text}")
    except services.NotAllowed as error:
        form.add_error("place", str(error))
    return 0


def _page(
    request: OrgRequest,
    form: forms.BulkForm,
    service: Service | None,
    *,
    shown: forms.BulkForm | None = None,
    status: int = 200,
) -> HttpResponse:
    judged = shown or form
    judged.is_valid()
    owned = _accesses(request).select_related("cluster")
    place = judged.target_place
    links = [
        ExternalSecret(access=form.access, **placing.columns(place), **judged.usual, **line.values)
        for line in judged.listed.lines
        if place is not None and not line.error
    ]
    context = {
        "form": form,
        "access": form.access,
        "accesses": list(owned.order_by("cluster__name", "name")),
        "service": service,
        "listed": judged.listed,
        "place": place,
        "cost": costs.total(links) if links else None,
    }
    part = "table" if "preview" in request.GET else "form"
    return pages.render_page(request, "external_secrets/bulk.html", context, part=part, status=status)


def _chosen(request: OrgRequest) -> list[ExternalSecret]:
    """Return the links that are to move, all of one cluster, or answer 404."""
    asked = request.POST if request.method == "POST" else request.GET
    ids = [lookup.as_uuid(text) for text in asked.getlist("link")]
    owned = ExternalSecret.objects.within(
        request.organization, request.authority, Permission.EXTERNAL_SECRET_MANAGE
    ).select_related(*lookup.RELATED)
    found = list(owned.filter(pk__in=ids).order_by("variable", "path"))
    if len(found) != len(set(ids)) or len({link.cluster_id for link in found}) > 1:
        raise Http404
    return found


@org_view(Permission.EXTERNAL_SECRET_MANAGE, methods=("GET", "HEAD", "POST"))
def relocate(request: OrgRequest) -> HttpResponse:
    """Ask where links go, and move all or none."""
    links = _chosen(request)
    if len(links) > MOST:
        pages.toast(
            request, f"These are {len(links)} secrets; move at most {MOST} at once. Nothing was moved."
        )
        return pages.go_to(request, lookup.place_url(request, placing.Place.of_link(links[0])))
    if not links:
        return pages.go_to(
            request, reverse("external_secrets:linked", kwargs={"org": request.organization.slug})
        )
    access = links[0].access
    around = lookup.around(request, access)
    filled: dict[str, Any] = (
        {"data": request.POST} if request.method == "POST" else {"initial": {"scope": "service"}}
    )
    form = forms.RelocateForm(access, around, limits=lookup.limits(request, access.cluster), **filled)
    if form.is_bound and form.is_valid():
        done = _relocate(request, form, links)
        if done is not None:
            return done
    from_ = placing.Place.of_link(links[0])
    context = {
        "form": form,
        "links": links,
        "cluster": access.cluster,
        "back": lookup.place_url(request, from_),
        "query": urlencode({"link": [str(link.pk) for link in links]}, doseq=True),
    }
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "external_secrets/relocate.html", context, part="form", status=status)


def _relocate(
    request: OrgRequest, form: forms.RelocateForm, links: list[ExternalSecret]
) -> HttpResponse | None:
    place = form.target_place
    assert place is not None  # noqa: S101  a valid form has one
    try:
        count = batches.move_to(links=links, place=place, by=request.user)
    except batches.Refused as error:
        for text in error.errors.values():
            form.add_error(None, text)
        return None
    except services.Clash as error:
        form.add_error(None, str(error))
        return None
    words = (
        f"{count} secret{' is' if count == 1 else 's are'} moved. Deploy {place.cluster} to bring them there."
    )
    pages.toast(request, words if count else "They are there already.")
    return pages.go_to(request, lookup.place_url(request, place))
