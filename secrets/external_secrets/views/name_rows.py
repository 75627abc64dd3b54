"""The rows of the browse page: all that its template shows of a name, ready to be written."""

import uuid
from html import escape
from typing import Any
from urllib.parse import quote

from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe

from accounts.access import OrgRequest
from accounts.roles import Permission
from config.ui_tags import ago, badge
from external_secrets import browsing, browsing_basket, browsing_uses
from external_secrets.browsing_accesses import Listed
from external_secrets.browsing_search import Search, Tag
from external_secrets.models import InventoryEntry

# So many tags, and so many users, a row names.
TAGS = 5
LONGEST_TAG = 60
LONGEST_DESCRIPTION = 120
_DELETES = '<span class="badge t-warn">Scheduled for deletion</span> on'
_DELETED = '<span class="badge t-warn">Deleted</span> since'


def _ending(entry: InventoryEntry) -> str:
    """Return since when it is deleted, or when it will be."""
    words = _DELETED if entry.is_deleted else _DELETES
    return f'<div class="sub">{words} {entry.deletes_at:%Y-%m-%d}</div>'


def bulk_url(request: OrgRequest) -> str:
    """Return where many names are linked at once."""
    try:
        return reverse("external_secrets:bulk", kwargs={"org": request.organization.slug})
    except NoReverseMatch:
        return ""


class _Page:
    """What the rows of one page have in common."""

    def __init__(
        self, request: OrgRequest, names: browsing.Names, search: Search, kept: dict[str, Any]
    ) -> None:
        org = {"org": request.organization.slug}
        self.show = reverse("external_secrets:secret", kwargs=org)
        self.link = reverse("external_secrets:link", kwargs=org)
        along = {"service": kept["service"]} if "service" in kept else {}
        along |= {"json_field": search.field} if search.field else {}
        self.along = f"&{urlencode(along)}" if along else ""
        self.base = escape(urlencode(kept | search.parameters(), doseq=True))
        self.written: dict[tuple[str, str], str] = {}
        self.taken = set(request.GET.getlist("pick"))
        self.search, self.is_gone = search, names.gone
        self.can_link = request.allows(Permission.EXTERNAL_SECRET_MANAGE)
        # Where the page is of one access it need not be named.
        self.names_access = "access" not in kept

    def row(self, entry: InventoryEntry, access: Listed, users: list[browsing_uses.User]) -> str:
        """Return a row of the table. Written here: a template takes five times as long, at each keystroke."""
        name, quoted = escape(entry.name), quote(entry.name, safe="")
        url = f"{self.show}?access={access.pk}&amp;name={quoted}"
        pick = link = ""
        if self.can_link:
            value = browsing_basket.value(access, entry.name)
            form = " checked" if value in self.taken else ' form="basket"'
            pick = (
                f'<td class="pick"><input type="checkbox" name="pick" value="{escape(value)}" '
                f'aria-label="Choose {name}" data-pick{form}></td>'
            )
            to = f"{self.link}?access={access.pk}&amp;key={quoted}{escape(self.along)}"
            link = f'<a class="btn sm" href="{to}" data-link>Link<span class="sr"> {name}</span></a>'
        cells = (
            f'<td><a class="secret-name name" href="{url}" data-row>{name}</a>{self._about(entry)}</td>',
            f'<td class="low">{escape(str(access))}</td>' if self.names_access else "",
            f'<td class="low nowrap">{badge("gone") if self.is_gone else ago(entry.changed_at)}</td>',
            f'<td class="low">{_users(users, url)}</td>',
            f'<td class="act">{link}</td>',
        )
        return f"<tr>{pick}{''.join(cells)}</tr>\n"

    def _about(self, entry: InventoryEntry) -> str:
        tags = self._tags(entry) if entry.tags else ""
        return (
            (
                f'<div class="sub">{escape(_cut(entry.description, LONGEST_DESCRIPTION))}</div>'
                if entry.description
                else ""
            )
            + (_ending(entry) if entry.deletes_at else "")
            + (f'<div class="tags">{tags}</div>' if tags else "")
        )

    def _tags(self, entry: InventoryEntry) -> str:
        """Return the first tags, those of the search before the others."""
        found = list(entry.tags.items())[:TAGS]
        if self.search.chips:
            found.sort(key=lambda tag: Tag(*tag) not in self.search.chips)
        # Rows have the same tags, mostly.
        for tag in found:
            if tag not in self.written:
                self.written[tag] = self._tag(Tag(*tag))
        return "".join([self.written[tag] for tag in found])

    def _tag(self, tag: Tag) -> str:
        """Return a tag, which leads to the names that have it, too; one of the search leads nowhere."""
        if tag in self.search.chips:
            return f'<span class="tag">{escape(_cut(tag.label))}</span>'
        url = f"?{self.base}&amp;tag={quote(tag.parameter, safe='')}"
        return f'<a class="tag" href="{url}">{escape(_cut(tag.label))}</a>'


def _users(users: list[browsing_uses.User], url: str) -> str:
    if not users:
        return '<span class="muted">-</span>'
    more = f" and {len(users) - 1} more" if len(users) > 1 else ""
    return f'<a href="{url}#uses-h">{escape(str(users[0]))}{more}</a>'


def sees(request: OrgRequest, known: dict[uuid.UUID, Listed]) -> browsing_uses.Sees:
    """Return which links a row may name."""
    if request.authority.everywhere(Permission.EXTERNAL_SECRET_VIEW):
        return None

    def sees(access: uuid.UUID, namespace: str, key: str) -> bool:
        return access in known and request.allows(
            Permission.EXTERNAL_SECRET_VIEW, cluster=known[access].cluster, namespace=namespace, secret=key
        )

    return sees


def build(
    request: OrgRequest, names: browsing.Names, accesses: list[Listed], search: Search, kept: dict[str, Any]
) -> SafeString:
    """Return the rows of the table. `kept` are the parameters that every address of the page carries."""
    known = {access.pk: access for access in accesses}
    find = browsing_uses.users_of_gone if names.gone else browsing_uses.of_rows
    users = find(names.rows, sees(request, known))
    page = _Page(request, names, search, kept)
    rows = (
        page.row(entry, known[entry.access_id], users.get((entry.access_id, entry.name), []))
        for entry in names.rows
        if entry.access_id in known
    )
    return mark_safe("".join(rows))  # noqa: S308  each part of a row is escaped


def _cut(text: str, most: int = LONGEST_TAG) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
