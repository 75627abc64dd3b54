"""The rows of the browse page: all that its template shows of a name, ready to be written."""

from typing import Any
from urllib.parse import quote

from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from accounts.access import OrgRequest
from external_secrets import browsing, browsing_basket, browsing_uses
from external_secrets.browsing_accesses import Listed
from external_secrets.browsing_search import Search, Tag
from external_secrets.models import InventoryEntry

# So many tags, and so many users, a row names.
TAGS = 5
LONGEST_TAG = 60
LONGEST_DESCRIPTION = 120


def bulk_url(request: OrgRequest) -> str:
    """Return where many names are linked at once."""
    try:
        return reverse("external_secrets:bulk", kwargs={"org": request.organization.slug})
    except NoReverseMatch:
        return ""


def build(
    request: OrgRequest, names: browsing.Names, accesses: list[Listed], search: Search, kept: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return a dict of each row. `kept` are the parameters that every address of the page carries."""
    known = {access.pk: access for access in accesses}
    users = browsing_uses.users_of_gone(names.rows) if names.gone else browsing_uses.of_rows(names.rows)
    org = request.organization.slug
    show = reverse("external_secrets:secret", kwargs={"org": org})
    link = reverse("external_secrets:link", kwargs={"org": org})
    along = urlencode({name: kept[name] for name in ("service",) if name in kept} | _field(search))
    base = urlencode(kept | search.parameters(), doseq=True)
    taken = set(request.GET.getlist("pick"))
    return [
        _row(entry, known[entry.access_id], users.get((entry.access_id, entry.name), []), show, link, along)
        | {
            "tags": _tags(entry, search, base),
            "picked": browsing_basket.value(known[entry.access_id], entry.name) in taken,
        }
        for entry in names.rows
        if entry.access_id in known
    ]


def _field(search: Search) -> dict[str, str]:
    return {"json_field": search.field} if search.field else {}


def _row(
    entry: InventoryEntry, access: Listed, users: list[browsing_uses.User], show: str, link: str, along: str
) -> dict[str, Any]:
    name = quote(entry.name, safe="")
    description = entry.description
    return {
        "name": entry.name,
        "description": _cut(description, LONGEST_DESCRIPTION) if description else "",
        "deletes_at": entry.deletes_at,
        "about": bool(description or entry.deletes_at),
        "changed_at": entry.changed_at,
        "access": access,
        "users": users,
        "more": len(users) - 1,
        "url": f"{show}?access={access.pk}&name={name}",
        "link": f"{link}?access={access.pk}&key={name}{'&' if along else ''}{along}",
        "pick": browsing_basket.value(access, entry.name),
    }


def _tags(entry: InventoryEntry, search: Search, base: str) -> SafeString:
    """Return the first tags; each leads to the names that have it, too. Made here: a template takes ten times as long."""
    return format_html_join(
        "",
        '<a class="tag" href="?{}&amp;tag={}">{}</a>',
        (
            (base, quote(tag.parameter, safe=""), _cut(tag.label, LONGEST_TAG))
            for tag in (Tag(name, value) for name, value in list(entry.tags.items())[:TAGS])
            if tag not in search.chips
        ),
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
