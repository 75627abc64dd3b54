"""The page of the audit log, and the one of an event."""

from typing import Any

from django.core.cache import cache
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.utils.safestring import SafeString
from redis.exceptions import RedisError

from accounts.access import OrgRequest, org_view
from accounts.audit import chips, lines, objects, queries, services, showing
from accounts.audit.forms import ORIGINS, OUTCOMES, RANGES, FilterForm
from accounts.audit.models import AuditDigest, AuditEvent, AuditEventQuerySet
from accounts.audit.plainly import visible
from accounts.audit.saved_views import AuditView, canonical
from accounts.organizations.models import Organization
from accounts.roles import Permission
from config import pages

# How many of the newest events are checked for the mark at the head of the page; `verify_audit_log` checks all.
CHECKED = 50
# So many seconds the lists to choose from, and that check, may be old.
FRESH = 30
# So many new events come at once to a page that follows the log; the others with the next ones.
MOST_AT_ONCE = 50


@org_view(Permission.AUDIT_VIEW)
def log(request: OrgRequest) -> HttpResponse:
    """List what was done, newest first, filtered by what the URL says; `tail` asks for what is newer than a number."""
    form = FilterForm(request.GET)
    if not form.is_valid():
        context = _shell(request, form) | {"rows": [], "chips": chips.of(request.organization, request.GET)}
        return pages.render_page(request, "accounts/audit.html", context, part="list", status=422)
    newest = queries.newest(request.organization)
    found = queries.events(request.organization, form.filters())
    if form.cleaned_data["tail"] is not None and pages.wants_part(request):
        return _tail(request, found, form.cleaned_data["tail"], newest)
    context = _listed(request, found, form.cleaned_data, newest)
    is_part = pages.wants_part(request)
    context |= {} if is_part else _shell(request, form)
    response = pages.render_page(request, "accounts/audit.html", context, part="list")
    if is_part:
        # The address that can be shared has no empty fields.
        response.headers["HX-Push-Url"] = f"{request.path}?{context['saved']}".rstrip("?")
    return response


def _listed(
    request: OrgRequest, found: AuditEventQuerySet, wanted: dict[str, Any], newest: int
) -> dict[str, Any]:
    page = queries.page(
        found, before=wanted["before"], after=wanted["after"], last=request.GET.get("last") == "1"
    )
    plain = chips.without(request.GET)
    is_first = page.newer is None
    return {
        **_rows(request, page.rows),
        "chips": chips.of(request.organization, request.GET),
        "empty": newest == 0,
        "newest": newest,
        "plain": plain,
        "first": "" if is_first else plain,
        "newer": _link(request.GET, "after", page.newer),
        "older": _link(request.GET, "before", page.older),
        "last": _link(request.GET, "last", 1 if page.older is not None else None),
        "live": is_first and request.GET.get("live") == "1",
        "live_url": _link(request.GET, "live", 1),
        "saved": canonical(request.GET),
    }


def _rows(request: OrgRequest, events: list[AuditEvent]) -> dict[str, Any]:
    rows = showing.rows(events, objects.addresses(request.organization, request.authority, events))
    return {"rows": rows, "lines": lines.html(rows, request.organization.slug)}


def _tail(request: OrgRequest, found: AuditEventQuerySet, tail: int, newest: int) -> HttpResponse:
    """Answer what came since, newest first; nothing at all while nothing came."""
    if newest <= tail:
        return HttpResponse(status=204)
    since = found.filter(sequence__gt=tail, sequence__lte=newest)
    events = list(since.order_by("sequence")[:MOST_AT_ONCE])
    reached = events[-1].sequence if len(events) == MOST_AT_ONCE else newest
    context = {"newest": reached, "plain": chips.without(request.GET)} | _rows(request, events[::-1])
    return pages.render_page(request, "accounts/audit.html", context, part="tail")


def _link(query: QueryDict, name: str, value: int | None) -> str:
    """Return the query string of another page of the same filter, or nothing."""
    if value is None:
        return ""
    plain = chips.without(query)
    return f"{plain}{'&' if len(plain) > 1 else ''}{name}={value}"


# -- what is around the list -------------------------------------------------------------------------------
def _shell(request: OrgRequest, form: FilterForm) -> dict[str, Any]:
    kept = _kept(request.organization)
    views = AuditView.objects.seen_by(request.membership)
    now = canonical(request.GET)
    return {
        "form": form,
        "given": {name: request.GET.get(name, "") for name in form.fields},
        "narrow": any(
            request.GET.get(name) for name in ("cluster", "origin", "address", "token", "start", "end")
        ),
        "options": _options(request.GET, kept),
        "views": [{"view": view, "is_on": view.query == now} for view in views],
        "may_manage": request.allows(Permission.AUDIT_MANAGE),
        "chain": kept["chain"],
        "signed": kept["signed"],
    }


def _options(query: QueryDict, kept: dict[str, Any]) -> dict[str, SafeString]:
    """Return each list to choose from, by the name of its field."""
    choices = {
        "who": [*kept["actors"], (queries.ITSELF, chips.ITSELF)],
        "outcome": OUTCOMES.items(),
        "type": [(kind, f"{word[:1].upper()}{word[1:]}") for kind, word in objects.WORDS.items()],
        "range": [(word, label) for word, (label, _) in RANGES.items()],
        "cluster": kept["clusters"],
        "origin": ORIGINS.items(),
        "token": kept["tokens"],
    }
    found = {name: lines.options(each, query.get(name, "")) for name, each in choices.items()}
    return found | {"action": lines.options_of_actions(query.get("action", ""))}


def _kept(organization: Organization) -> dict[str, Any]:
    """Return the lists to choose from and what a look at the chain found, half a minute old at most."""
    name = f"audit-page-{organization.pk}"
    try:
        kept: dict[str, Any] | None = cache.get(name)
        if kept is None:
            kept = _looked_up(organization)
            cache.set(name, kept, FRESH)
    except (RedisError, OSError):
        kept = _looked_up(organization)
    return kept


def _looked_up(organization: Organization) -> dict[str, Any]:
    return {
        "actors": [(actor, visible(name)) for actor, name in queries.actors(organization)],
        "clusters": _choices(organization, "cluster"),
        "tokens": _choices(organization, "token"),
        "chain": services.verify(organization, newest=CHECKED),
        "signed": AuditDigest.objects.filter(organization=organization).last(),
    }


def _choices(organization: Organization, column: str) -> list[tuple[str, str]]:
    return [(value, visible(value)) for value in queries.distinct(organization, column)]


# -- one event ---------------------------------------------------------------------------------------------
@org_view(Permission.AUDIT_VIEW)
def event(request: OrgRequest, sequence: int) -> HttpResponse:
    """Show everything that one event holds, with what was before and after."""
    found = get_object_or_404(AuditEvent.objects.owned_by(request.organization), sequence=sequence)
    address = objects.addresses(request.organization, request.authority, [found])
    detail = showing.detail(found, address.get((found.target_type, found.target_id), ""))
    around = AuditEvent.objects.owned_by(request.organization).order_by("sequence")
    context = {
        "detail": detail,
        "event": found,
        "newer": around.filter(sequence__gt=sequence).values_list("sequence", flat=True).first(),
        "older": around.filter(sequence__lt=sequence).values_list("sequence", flat=True).last(),
    }
    return pages.render_page(request, "accounts/audit_event.html", context, part="opened")
