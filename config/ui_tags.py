"""Template tags of the shell: icons, times, badges, form fields."""

import functools
from datetime import datetime
from typing import Any

from django import template
from django.forms import BoundField, Form
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from lucide.templatetags import lucide

register = template.Library()

# status → (tone, live, word); the words are fixed, for every page.
BADGES: dict[str, tuple[str, bool, str]] = {
    "ready": ("ok", False, "Ready"),
    "unreachable": ("idle", False, "Unreachable"),
    "denied": ("bad", False, "Access denied"),
    "queued": ("idle", False, "Queued"),
    "running": ("info", True, "Deploying"),
    "succeeded": ("ok", False, "Succeeded"),
    "failed": ("bad", False, "Failed"),
    "cancelled": ("idle", False, "Cancelled"),
    "waiting": ("idle", False, "Waiting"),
    "skipped": ("idle", False, "Skipped"),
    "never deployed": ("idle", False, "Never deployed"),
    "out of date": ("warn", False, "Out of date"),
    "up to date": ("ok", False, "Up to date"),
    "in sync": ("ok", False, "In sync"),
    "ok": ("ok", False, "OK"),
    "unknown": ("idle", False, "Unknown"),
}

UNITS = ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"), (86400 * 60, 86400, "d"))


@functools.cache
def _svg(name: str, size: int) -> str:
    return str(lucide.lucide(name, size=size, aria_hidden="true", focusable="false"))


@register.simple_tag
def icon(name: str, size: int = 16) -> SafeString:
    """Return a lucide icon as inline SVG; an unknown name raises."""
    return mark_safe(_svg(name, size))  # noqa: S308  our own constant names


@register.simple_tag
def ago(value: datetime | None, absent: str = "-") -> SafeString:
    """Return a `<time>` such as “4 min ago” with the exact time in UTC as its title."""
    if value is None:
        return format_html('<span class="muted">{}</span>', absent)
    seconds = max(0, int((timezone.now() - value).total_seconds()))
    words = value.strftime("%Y-%m-%d")
    if seconds < 10:
        words = "just now"
    else:
        for limit, unit, name in UNITS:
            if seconds < limit:
                words = f"{seconds // unit} {name} ago"
                break
    exact = value.strftime("%Y-%m-%d %H:%M:%S UTC")
    return format_html('<time datetime="{}" title="{}" data-rel>{}</time>', value.isoformat(), exact, words)


@register.simple_tag
def badge(status: Any, word: str = "") -> SafeString:
    """Return a dot and a word for a status of the fixed vocabulary."""
    tone, live, known = BADGES.get(str(status), ("idle", False, str(status).capitalize()))
    return format_html('<span class="badge t-{}{}">{}</span>', tone, " live" if live else "", word or known)


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, mono: bool = False) -> dict[str, Any]:
    """Render a form field with its label, hint and error, tied together for screen readers."""
    described = [f"{bound.id_for_label}-error"] if bound.errors else []
    described += [f"{bound.id_for_label}-hint"] if bound.help_text else []
    attributes: dict[str, Any] = {}
    if described:
        attributes["aria-describedby"] = " ".join(described)
    if bound.errors:
        attributes["aria-invalid"] = "true"
    widget = bound.field.widget
    kind = getattr(widget, "input_type", "")
    if kind not in ("radio", "checkbox", "file"):
        base = "textarea" if kind == "" and hasattr(widget, "attrs") and "rows" in widget.attrs else "input"
        base = "select wide" if kind == "select" else base
        attributes["class"] = f"{base} mono" if mono else base
    return {
        "field": bound,
        "control": bound.as_widget(attrs=attributes),
        "group": kind in ("radio", "checkbox"),
    }


@register.inclusion_tag("components/error_summary.html")
def error_summary(form: Form) -> dict[str, Any]:
    """Render what is wrong with the form as a whole, and with two or more fields also links to them."""
    fields = [bound for bound in form if bound.errors]
    return {"whole": form.non_field_errors(), "fields": fields if len(fields) > 1 else []}


@register.inclusion_tag("components/copy.html")
def copy(text: str, label: str) -> dict[str, Any]:
    """Render text with a button that copies it whole; `label` says what it is."""
    return {"text": text, "label": label, "id": f"copy-{abs(hash((text, label)))}"}


@register.inclusion_tag("components/code.html")
def code(text: str, label: str) -> dict[str, Any]:
    """Render a block of code with a button that copies it; `label` says what it is."""
    return {"text": text, "label": label, "id": f"code-{abs(hash((text, label)))}"}
