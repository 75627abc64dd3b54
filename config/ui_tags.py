"""Template tags of the shell: icons, times, badges, form fields, text to copy."""

import functools
import itertools
from datetime import UTC, datetime
from typing import Any

from django import forms, template
from django.contrib.messages.storage.base import Message
from django.forms import BoundField, Form
from django.template import Context, RequestContext
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from lucide.templatetags import lucide

from accounts.roles import Permission
from config.paths import BASE_DIR

register = template.Library()

# status → (tone, live, word); the words are fixed, for every page.
BADGES: dict[str, tuple[str, bool, str]] = {
    # clusters
    "ready": ("ok", False, "Ready"),
    "checking": ("info", True, "Checking"),
    "degraded": ("warn", False, "Degraded"),
    "denied": ("bad", False, "Access denied"),
    "stopped": ("idle", False, "Stopped"),
    "unreachable": ("idle", False, "Unreachable"),
    "unknown": ("idle", False, "Unknown"),
    "warning": ("warn", False, "Warning"),
    "bad": ("bad", False, "Problem"),
    # deploys and their steps
    "scheduled": ("idle", False, "Scheduled"),
    "queued": ("idle", False, "Queued"),
    "running": ("info", True, "Deploying"),
    "succeeded": ("ok", False, "Succeeded"),
    "failed": ("bad", False, "Failed"),
    "cancelled": ("idle", False, "Cancelled"),
    "skipped": ("idle", False, "Skipped"),
    # what becomes of an object
    "create": ("ok", False, "Create"),
    "change": ("warn", False, "Change"),
    "delete": ("bad", False, "Delete"),
    # drift
    "never deployed": ("idle", False, "Never deployed"),
    "out of date": ("warn", False, "Out of date"),
    "up to date": ("ok", False, "Up to date"),
    "drifted": ("warn", False, "Changed in the cluster"),
    # accesses
    "accepted": ("ok", False, "Accepted"),
    "validated": ("ok", False, "Validated"),
    "verified": ("ok", False, "Verified"),
    "refused": ("bad", False, "Refused"),
    "throttled": ("warn", False, "Throttled"),
    "draft": ("idle", False, "Draft"),
    "ends": ("idle", False, "Ends"),
    "ending": ("warn", False, "Ends soon"),
    "ended": ("bad", False, "Ended"),
    # external secrets
    "in sync": ("ok", False, "In sync"),
    "waiting": ("idle", False, "Waiting"),
    "gone": ("bad", False, "Gone"),
    "ok": ("ok", False, "OK"),
}
UNITS = ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"), (86400 * 60, 86400, "d"))
TOAST_TONES = {"success": "ok", "info": "info", "debug": "idle", "warning": "warn", "error": "bad"}
# Of long text to copy, so much stays in sight at its end however narrow the page is.
LONG, TAIL = 40, 12
MARKS = frozenset(path.stem for path in (BASE_DIR / "static" / "providers").glob("*.svg"))

_numbers = itertools.count(1)


@functools.cache
def _svg(name: str, size: int) -> SafeString:
    # Lucide's own drawing.
    return mark_safe(lucide.lucide(name, size=size, aria_hidden="true", focusable="false"))  # noqa: S308


@register.simple_tag
def icon(name: str, size: int = 16) -> SafeString:
    """Return a lucide icon as inline SVG; an unknown name raises."""
    return _svg(name, size)


@register.simple_tag
def mark(provider: str, size: int = 28) -> SafeString:
    """Return a provider's mark from static/providers, or the one of any secret manager."""
    url = static(f"providers/{provider if provider in MARKS else 'generic'}.svg")
    return format_html('<img class="mark" src="{}" alt="" width="{}" height="{}">', url, size, size)


@register.simple_tag
def ago(value: datetime | None, absent: str = "-") -> SafeString:
    """Return a `<time>` such as “4 min ago” with the exact time in UTC as its title."""
    if value is None:
        return format_html('<span class="muted">{}</span>', absent)
    value = value.astimezone(UTC)
    seconds = max(0, int((timezone.now() - value).total_seconds()))
    words = f"{value:%Y-%m-%d}"
    if seconds < 10:
        words = "just now"
    else:
        for limit, unit, name in UNITS:
            if seconds < limit:
                words = f"{seconds // unit} {name} ago"
                break
    exact = f"{value:%Y-%m-%d %H:%M:%S} UTC"
    # All of it is our own; a list has one of these in each row.
    return mark_safe(f'<time datetime="{value.isoformat()}" title="{exact}" data-rel>{words}</time>')  # noqa: S308


@register.simple_tag
def badge(status: Any, word: str = "") -> SafeString:
    """Return a dot and a word for a status of the fixed vocabulary."""
    tone, live, known = BADGES.get(str(status), ("idle", False, str(status).capitalize()))
    return format_html('<span class="badge t-{}{}">{}</span>', tone, " live" if live else "", word or known)


def _kind(widget: forms.Widget) -> str:
    """Return how a widget is drawn; `RadioSelect` is a `ChoiceWidget` but no `Select`, so order matters."""
    kinds: tuple[tuple[type[forms.Widget], str], ...] = (
        (forms.CheckboxSelectMultiple, "checkboxes"),
        (forms.RadioSelect, "choices"),
        (forms.CheckboxInput, "checkbox"),
        (forms.Select, "select wide"),
        (forms.Textarea, "textarea"),
        (forms.FileInput, "file"),
    )
    if getattr(widget, "cards", False):
        return "choices"
    return next((kind for of, kind in kinds if isinstance(widget, of)), "input")


def _attributes(bound: BoundField, kind: str, mono: bool) -> dict[str, Any]:
    widget, attributes = bound.field.widget, {}
    described = [f"{bound.id_for_label}-error"] if bound.errors else []
    described += [f"{bound.id_for_label}-hint"] if bound.help_text else []
    if described:
        attributes["aria-describedby"] = " ".join(described)
    if bound.errors:
        attributes["aria-invalid"] = "true"
    if kind not in ("choices", "checkboxes", "checkbox"):
        attributes["class"] = f"{kind} mono" if mono else kind
    if mono:
        quiet = {"spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}
        attributes |= {name: value for name, value in quiet.items() if name not in widget.attrs}
    return attributes


def _options(bound: BoundField) -> list[dict[str, Any]]:
    """Return a choice's input, label, and the line of `field.consequences` that says what follows from it."""
    consequences: dict[str, str] = getattr(bound.field, "consequences", {})
    return [
        {
            "input": option.tag(),
            "id": option.id_for_label,
            "label": option.choice_label,
            "consequence": consequences.get(str(option.data["value"]), ""),
        }
        for option in bound
    ]


@register.inclusion_tag("components/field.html")
def field(
    bound: BoundField, mono: bool = False, set_at: datetime | None = None, set_by: Any = ""
) -> dict[str, Any]:
    """Render a form field with its label, hint and error, tied together for screen readers.

    A password is never sent back. With `set_at` a stored secret shows when it was set, and “Replace…”.
    """
    widget = bound.field.widget
    if isinstance(widget, forms.PasswordInput):
        widget.render_value = False
    kind = _kind(widget)
    grouped = kind in ("choices", "checkboxes")
    return {
        "field": bound,
        "kind": kind,
        "grouped": grouped,
        "options": _options(bound) if grouped else [],
        "control": "" if grouped else bound.as_widget(attrs=_attributes(bound, kind, mono)),
        "kept": set_at is not None,
        "set_at": set_at,
        "set_by": set_by,
    }


@register.inclusion_tag("components/error_summary.html")
def error_summary(form: Form) -> dict[str, Any]:
    """Render what is wrong with the form as a whole, and with two or more fields also links to them."""
    wrong = [bound for bound in form if bound.errors]
    return {"whole": form.non_field_errors(), "fields": wrong if len(wrong) > 1 else []}


@register.inclusion_tag("components/copy.html")
def copy(text: Any, label: str, room: int = LONG) -> dict[str, Any]:
    """Render text with a button that copies it; `label` says what it is. What has no room is cut in its middle."""
    whole = str(text)
    at = len(whole) - TAIL if len(whole) > room else len(whole)
    return {"head": whole[:at], "tail": whole[at:], "text": whole, "label": label}


@register.inclusion_tag("components/code.html")
def code(text: Any, label: str) -> dict[str, Any]:
    """Render a block of code with a button that copies it; `label` says what it is."""
    return {"text": text, "label": label}


@register.inclusion_tag("components/toast.html")
def toast(message: Message) -> dict[str, Any]:
    """Render a message of django.contrib.messages as a toast."""
    return {"title": message.message, "tone": TOAST_TONES.get(message.level_tag, "ok")}


@register.simple_tag
def device(agent: str) -> str:
    """Return what a browser says of itself in two words, such as “Firefox on Linux”."""
    # Those that call themselves others come first.
    browsers = ("Edg", "OPR", "Firefox", "Chrome", "Safari", "curl", "python")
    systems = ("iPhone", "iPad", "Android", "Windows", "Mac OS X", "CrOS", "Linux")
    names = {"Edg": "Edge", "OPR": "Opera", "Mac OS X": "macOS", "CrOS": "ChromeOS", "python": "Python"}
    browser = next((word for word in browsers if word in agent), "")
    system = next((word for word in systems if word in agent), "")
    words = [names.get(word, word) for word in (browser, system) if word]
    return " on ".join(words) or "Unknown browser"


@register.simple_tag
def unique(prefix: str) -> str:
    """Return an id that no other element has, for a component that must point at itself."""
    return f"{prefix}-{next(_numbers)}"


@register.simple_tag(takes_context=True)
def may(context: RequestContext, permission: str, cluster: str | None = None) -> bool:
    """Tell whether the one who looks at the page holds a permission, on a cluster or somewhere."""
    request: Any = context.request
    return bool(request.allows(Permission(permission), cluster=cluster))


@register.simple_tag(takes_context=True)
def history(context: RequestContext, about: Any, css: str = "btn", **words: str) -> SafeString:
    """Return a link to the audit log of an object, or to what `words` filter; nothing for whoever may not see it."""
    request: Any = context.request
    if not request.allows(Permission.AUDIT_VIEW):
        return SafeString("")
    log = reverse("accounts:audit", kwargs={"org": request.organization.slug})
    what = urlencode(words or {"type": about._meta.model_name, "object": about.pk})
    return format_html(
        '<a class="{}" href="{}?{}" aria-label="History of {}">{} History</a>',
        css,
        log,
        what,
        about,
        icon("history", 15),
    )


@register.simple_tag(takes_context=True)
def same_section(context: Context, other: Any) -> str:
    """Return the current section's address in another organization, or that organization's start."""
    here = f"/o/{context['organization'].slug}/"
    for entry in context.get("nav") or ():
        if entry["current"] and entry["url"].startswith(here):
            return f"/o/{other.slug}/{entry['url'].removeprefix(here)}"
    return f"/o/{other.slug}/"
