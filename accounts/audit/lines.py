"""The lines of the log and its lists of choices as HTML, each in one piece: fifty of them cost a fifth of what a template
does."""

import functools
from collections.abc import Iterable
from html import escape

from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from accounts.audit import actions
from accounts.audit.showing import Row
from config.ui_tags import icon

_LINE = (
    "<li%(tone)s><details id=event-%(sequence)s><summary>%(chevron)s"
    '<time class=e-at datetime="%(iso)s">%(time)s</time><span class=e-who><bdi>%(who)s</bdi>%(by)s</span>'
    "<span class=e-what><span>%(before)s%(object)s%(after)s%(note)s</span> "
    "<span class=sub>%(outcome)s<code>%(code)s</code></span></span>"
    "<span class=e-from>%(origin)s%(address)s</span></summary>"
    '<div class=opened hx-get="%(url)s" hx-trigger="toggle from:closest details once" hx-swap=innerHTML>'
    '<p><a href="%(url)s">Open event %(sequence)s</a></p></div></details>%(open)s</li>'
)


def html(rows: Iterable[Row], org: str) -> SafeString:
    """Return rows as list items; every text in them is escaped here."""
    log = escape(reverse("accounts:audit", kwargs={"org": org}))
    return mark_safe("".join(_line(row, log) for row in rows))  # noqa: S308  each part is escaped


def _line(row: Row, log: str) -> str:
    by = " · ".join(filter(None, (row.roles, row.token and f"token {row.token}")))
    return _LINE % {
        "tone": f" class=t-{row.tone}" if row.tone else "",
        "sequence": row.sequence,
        "chevron": icon("chevron-right", 14),
        "iso": row.iso,
        "time": row.time,
        "who": escape(row.who),
        "by": f" <span class=sub>{escape(by)}</span>" if by else "",
        "before": escape(row.before),
        "object": f"<b><bdi>{escape(row.object)}</bdi></b>" if row.object else "",
        "open": _open(row),
        "after": escape(row.after),
        "note": f": <bdi>{escape(row.note)}</bdi>" if row.note else "",
        "outcome": f"<span class='badge t-{row.tone}'>{row.outcome}</span> " if row.outcome else "",
        "code": escape(row.code),
        "origin": escape(row.origin),
        "address": f" <span class='sub mono'>{escape(row.address)}</span>" if row.address else "",
        "url": f"{log}{row.sequence}/",
    }


def _open(row: Row) -> str:
    """Return the way to the object beside the summary: a summary is a button, and holds no link."""
    if not row.url:
        return ""
    words = f"Open {escape(row.object)}"
    return (
        f'<a class="btn ghost icon sm e-open" href="{escape(row.url)}" title="{words}" aria-label="{words}">'
        f"{icon('arrow-right', 14)}</a>"
    )


def options(choices: Iterable[tuple[str, str]], chosen: str) -> SafeString:
    """Return the options of a list of choices, as values and words."""
    each = (
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(words)}</option>'
        for value, words in choices
    )
    return mark_safe("".join(each))  # noqa: S308  each part is escaped


def options_of_actions(chosen: str) -> SafeString:
    """Return the options of the list of actions, each group beginning with the whole of it."""
    whole = _options()
    mark = f'value="{escape(chosen)}"'
    return mark_safe(whole.replace(mark, f"{mark} selected", 1)) if chosen else whole  # noqa: S308  our own


@functools.cache
def _options() -> SafeString:
    return format_html_join("", '<optgroup label="{}">{}</optgroup>', map(_group, actions.GROUPS))


def _group(group: actions.Group) -> tuple[str, SafeString]:
    whole = (f"{group.word}.*", f"{group.label} (all)")
    return group.label, options((whole, *((action.code, action.words) for action in group.actions)), "")
