"""The rows of the browse page: all that its template shows of a name, ready to be written."""

from html import escape
from typing import Any
from urllib.parse import quote

from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe

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
    base = escape(urlencode(kept | search.parameters(), doseq=True))
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
    """Return the first tags; each leads to the names that have it, too. Made here: a template takes ten times as long.

    `base` is escaped. Those of the search come first, and lead nowhere.
    """
    tags = [Tag(name, value) for name, value in list(entry.tags.items())[:TAGS]]
    there = [f'<span class="tag">{escape(_cut(tag.label))}</span>' for tag in tags if tag in search.chips]
    others = [
        f'<a class="tag" href="?{base}&amp;tag={quote(tag.parameter, safe="")}">{escape(_cut(tag.label))}</a>'
        for tag in tags
        if tag not in search.chips
    ]
    return mark_safe("".join(there + others))  # noqa: S308  each part is quoted or escaped


def _cut(text: str, most: int = LONGEST_TAG) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
