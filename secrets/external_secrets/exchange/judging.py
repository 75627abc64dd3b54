"""Whether a link may be made: an access that reads the same, a legal name, and nothing else in the way."""

from dataclasses import replace

from django.core.exceptions import ValidationError

from accesses import variants
from external_secrets import paths
from external_secrets.exchange.reading import Takes
from external_secrets.exchange.rows import Choice, Row, State, World
from external_secrets.models import ExternalSecret, variable_rule

Target, Mount = ExternalSecret.Target, ExternalSecret.Mount
# What a link is compared by with what is wanted.
COMPARED = (
    "takes", "key", "tags", "json_field", "version", "target", "variable", "path", "mount", "file_mode",
    "refresh_seconds", "when_gone", "restart_on_change",
)  # fmt: skip
_WORDS = {
    "takes": "what it takes", "key": "secret", "tags": "tags", "json_field": "JSON field", "version": "version",
    "target": "how it arrives", "mount": "mount", "file_mode": "file mode", "refresh_seconds": "refresh interval",
    "when_gone": "what happens when it is gone", "restart_on_change": "restart on change", "path": "path",
    "variable": "variable",
}  # fmt: skip


def judged(row: Row, choice: Choice, world: World) -> Row:
    """Return a row with what would happen to it, and why."""
    if row.state == State.PLACELESS:
        return replace(row, match=choice.chosen)
    reason = row.reason or _refusal(row, choice)
    if reason or row.place is None or choice.chosen is None:
        return replace(row, state=State.UNSUPPORTED, reason=reason, match=choice.chosen)
    values = row.values
    if choice.store.prefix and not values["key"].startswith(("arn:", choice.store.prefix)):
        # The store puts it before every name; ours does not.
        values = values | {"key": choice.store.prefix + values["key"]}
    place, row = row.place, replace(row, match=choice.chosen, values=values)
    shut = world.why_not(choice.chosen.access, place, values)
    if shut:
        return replace(row, state=State.UNSUPPORTED, reason=shut)
    link = world.link_at(place, values)
    if link is not None:
        return _compared(row, link)
    return _against_workload(row)


def _refusal(row: Row, choice: Choice) -> str:
    store = choice.store
    if not store.provider:
        return (
            f"Its store {store.key} is {store.label}, which Keyhaven has no provider for."
            if store.label != "Unknown"
            else f"Its store {store.key.kind} {store.key} is not there."
        )
    if choice.chosen is None:
        return f"{store.key} reads {store.label}, {store.where}; no access of this cluster does."
    values = row.values
    try:
        if values["variable"]:
            variable_rule(values["variable"])
        if values["path"]:
            several, whole = values["takes"] != Takes.VALUE, values["mount"] == Mount.DIRECTORY
            paths.clean(values["path"], several=several, whole=whole)
    except ValidationError as error:
        return f"{values['path'] or values['variable']}: {' '.join(error.messages)}"
    too_long = len(values["path"]) > 1024 or len(values["variable"]) > 200
    return "Its name is longer than a link's may be." if too_long else ""


def differences(link: ExternalSecret, row: Row) -> list[str]:
    """Return in which words a link differs from what is wanted."""
    found = [_WORDS[name] for name in COMPARED if getattr(link, name) != row.values[name]]
    if row.match and link.access_id != row.match.access.pk:
        found.append("access")
    elif row.match and variants.of(link.variant) != dict(row.match.overrides):
        found.append("store")
    return found


def _compared(row: Row, link: ExternalSecret) -> Row:
    found = differences(link, row)
    if not found:
        return replace(row, state=State.EQUAL, link=link, reason="It is linked like this already.")
    return replace(
        row, state=State.CHANGED, link=link, reason=f"A link is there with another {' and '.join(found)}."
    )


def _against_workload(row: Row) -> Row:
    """Refuse what the workload has from somewhere else than the Secret that is taken over."""
    place, variable = row.place, row.values["variable"]
    if place is None or place.service is None or not variable or row.values["takes"] != Takes.VALUE:
        return row
    names = [place.container] if place.container else place.service.container_names
    for name in names:
        found = place.service.container(name) or {}
        for entry in found.get("env", []):
            if entry["name"] != variable:
                continue
            source = str(entry["source"])
            is_its_path = source == "value" and row.values["target"] == Target.BOTH
            if is_its_path or source.startswith(f"secret {row.foreign.secret}/"):
                return replace(row, takes_over=True)
            where = f"{place} has {variable} from {source} already."
            return replace(row, state=State.UNSUPPORTED, reason=where)
    return row
