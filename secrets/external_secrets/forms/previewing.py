"""What a link to several secrets would yield, as a form of it is typed."""

from typing import Any

from external_secrets import references
from external_secrets.forms.reference import ReferenceForm
from external_secrets.models import ExternalSecret

Takes = ExternalSecret.Takes


def preview_context(form: ReferenceForm, prefix: str = "") -> dict[str, Any]:
    """Return what the preview of `reference_fields.html` shows: what several secrets would yield, as it is typed.

    `prefix` is what the variables' names begin with.
    """
    takes = str(form["takes"].value() or Takes.VALUE)
    if takes == Takes.VALUE:
        return {"form": form, "preview": None, "takes": takes}
    asked = form if form.is_bound else _as_sent(form)
    # What the caller found wrong besides stays: the form is not cleaned once more.
    wrong = asked.errors.get({"path": "below", "tags": "tags"}.get(takes, "key"))
    found: references.Preview | None = None
    if asked.overrides and not wrong:
        found = references.Preview(
            unknown=f"What is there is not known: only {form.access}'s own names are read."
        )
    elif not wrong:
        found = references.preview(form.access, asked.reference_values, prefix)
    return {"form": form, "preview": found, "takes": takes}


def _as_sent(form: ReferenceForm) -> ReferenceForm:
    """Return a form of what this one begins with, as if it were sent."""
    names = [name for name in ReferenceForm.base_fields if name in form.fields]
    sent = ReferenceForm(form.access, data={name: form[name].value() or "" for name in names})
    sent.limits = form.limits
    return sent
