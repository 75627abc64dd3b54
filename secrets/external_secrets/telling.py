"""What the audit log tells of a link: everything that a person chose, in words, and never a value."""

from typing import Any

from accounts.audit import services as audit
from external_secrets.models import ExternalSecret

_ALWAYS = ("key", "variable", "container", "access", "cluster", "place")
_USUAL = {
    "takes": "value",
    "target": "variable",
    "when_gone": "Retain",
    "mount": "directory",
    "file_mode": "0444",
}


def everything(link: ExternalSecret) -> dict[str, Any]:
    """Return all that a person chose."""
    names = ("key", "variable", "container", "takes", "json_field", "version", "target", "path", "mount")
    found: dict[str, Any] = {name: str(getattr(link, name)) for name in names}
    return found | {
        "access": link.access.name,
        "cluster": link.cluster.name,
        "place": link.place,
        "tags": link.words_of_tags,
        "overrides": str(link.variant or ""),
        "alias_of": link.alias_of.title if link.alias_of is not None else "",
        "file_mode": f"{link.file_mode:04o}",
        "refresh_seconds": link.refresh_seconds,
        "restart_on_change": link.restart_on_change,
        "when_gone": str(link.when_gone),
    }


def told(link: ExternalSecret) -> dict[str, Any]:
    """Return what was chosen, without what is as usual."""
    return {
        name: value
        for name, value in everything(link).items()
        if name in _ALWAYS or value not in ("", False, _USUAL.get(name))
    }


def difference(link: ExternalSecret, before: dict[str, Any]) -> dict[str, Any]:
    """Return what differs, as it was and as it is, and what tells which link it is."""
    after = everything(link)
    which = {name: after[name] for name in ("cluster", "place")}
    return which | audit.changes(before, after, {name: name for name in after})
