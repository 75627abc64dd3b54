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
    form.full_clean()
    wrong = form.errors.get("below" if takes == Takes.PATH else "tags" if takes == Takes.TAGS else "key")
    if wrong or form.overrides:
        words = "" if wrong else f"What is there is not known: only {form.access}'s own names are read."
        return {"form": form, "preview": references.Preview(unknown=words) if words else None, "takes": takes}
    shown = references.preview(form.access, form.reference_values, prefix)
    return {"form": form, "preview": shown, "takes": takes}
