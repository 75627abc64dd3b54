"""Browsing the names that an access can see, by prefix."""

import hashlib
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from accesses.models import Access
from accesses.providers import ProviderError
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters.models import Service
from config import pages
from external_secrets import browsing, inventory, inventory_schedule, services
from external_secrets.models import InventoryEntry, InventoryState
from external_secrets.views import lookup

HEAD, TAIL = 10, 20


def cut(text: str) -> str:
    """Return a long reference with its middle left out; its end is what tells it apart."""
    return text if len(text) <= HEAD + TAIL + 1 else f"{text[:HEAD]}…{text[-TAIL:]}"


def _choose(found: list[Access], wanted: str, service: Service | None) -> Access | None:
    """Return the access that the URL names, else the first one of the service's cluster, else the first one."""
    if wanted:
        chosen = next((access for access in found if access.pk == lookup.as_uuid(wanted)), None)
        if chosen is None:
            raise Http404
        return chosen
    fitting = [access for access in found if service is None or access.cluster_id == service.cluster_id]
    return next(iter(fitting), None)


def _rows(access: Access, rows: list[InventoryEntry]) -> list[dict[str, Any]]:
    users = browsing.users_of(access, rows)
    return [
        {
            "entry": entry,
            "id": f"ref-{hashlib.sha256(entry.name.encode()).hexdigest()[:12]}",
            "reference": cut(entry.reference),
            "links": users.get(entry.name, []),
        }
        for entry in rows
    ]


def _names(
    access: Access, state: InventoryState, prefix: str, request: OrgRequest
) -> tuple[browsing.Names | None, browsing.Trouble | None]:
    """Return the names and what is wrong: from the inventory once it was read whole, else live."""
    trouble = browsing.known_trouble(state)
    if inventory.answers(state, prefix):
        after = request.GET.get("after", "").replace("\x00", "")
        return browsing.page(access, prefix, after), trouble
    if trouble is not None:
        return None, trouble
    try:
        return browsing.live(access, prefix, request.GET.get("cursor", "")), None
    except ProviderError as error:
        return None, browsing.trouble_of(error)


def _of_access(request: OrgRequest, access: Access, prefix: str, service: Service | None) -> dict[str, Any]:
    state = browsing.state_of(access)
    names, trouble = _names(access, state, prefix, request)
    kept = {"access": str(access.pk), "q": prefix} | ({"service": str(service.pk)} if service else {})
    if names and (names.after or names.cursor):
        step = {"after": names.after} if names.after else {"cursor": names.cursor}
        more = f"?{urlencode(kept | step)}"
    else:
        more = ""
    indexed = names is not None and not names.live
    return {
        "state": state,
        "pending": inventory.is_pending(state),
        "names": names,
        "trouble": trouble,
        "rows": _rows(access, names.rows) if names else [],
        "folders": browsing.folders(access, prefix) if indexed and not _continued(request) else [],
        "crumbs": browsing.crumbs(prefix),
        "more": more,
        "query": urlencode(kept),
        "kept": kept,
    }


def _continued(request: OrgRequest) -> bool:
    return bool(request.GET.get("after") or request.GET.get("cursor"))


def _part(request: OrgRequest) -> str:
    if "freshness" in request.GET:
        return "freshness"
    return "more" if _continued(request) else "results"


@org_view(Permission.SECRET_BROWSE)
def browse(request: OrgRequest) -> HttpResponse:
    """List an access's names that begin with what was typed, 50 at a time, and the folders below."""
    inventory_schedule.looked_at(request.organization)
    service = lookup.service(request, request.GET.get("service", ""))
    owned = Access.objects.owned_by(request.organization).select_related("cluster")
    found = list(owned.order_by("cluster__name", "name"))
    access = _choose(found, request.GET.get("access", ""), service)
    prefix = browsing.clean_prefix(request.GET.get("q", ""))
    context: dict[str, Any] = {
        "accesses": found,
        "access": access,
        "service": service,
        "q": prefix,
        "tab": "browse",
        "can_browse": True,
        "can_link": request.allows(Permission.EXTERNAL_SECRET_MANAGE),
        "who_may_link": who_may(Permission.EXTERNAL_SECRET_MANAGE),
        "who_may_connect": who_may(Permission.ACCESS_MANAGE),
    }
    if access is not None:
        context |= _of_access(request, access, prefix, service)
    part = _part(request)
    response = pages.render_page(request, "external_secrets/browse.html", context, part=part)
    if pages.wants_part(request) and access is not None:
        if part == "results":
            response.headers["HX-Replace-Url"] = f"{request.path}?{context['query']}"
        elif part == "freshness" and not context["pending"]:
            response.headers["HX-Trigger"] = "inventory-read"
    return response


@org_view(Permission.SECRET_BROWSE, methods=("POST",))
def refresh(request: OrgRequest, access: Any) -> HttpResponse:
    """Ask for an access's names to be read anew, and go back to where the person was."""
    found = lookup.access(request, str(access))
    services.read_names(found)
    back = {"access": str(found.pk)}
    back |= {name: request.POST[name] for name in ("q", "service", "key") if request.POST.get(name)}
    page = "link" if "key" in back else "browse"
    url = reverse(f"external_secrets:{page}", kwargs={"org": request.organization.slug})
    return pages.go_to(request, f"{url}?{urlencode(back)}")
