"""What is entered on the pages of a rotation: the new values, and that somebody means to delete the old key."""

import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.naming import TypedNameForm
from credentials.clouds.base import Method
from credentials.fields import SecretField, SecretForm
from credentials.models import CloudCredential

# Facts of the key itself: those of the new one are asked for where the method's form does.
OF_THE_KEY = ("expires", "made", "key_id")


def _extra() -> dict[str, forms.Field]:
    return {
        "ends_on": forms.DateField(
            label="Ends on",
            required=False,
            help_text="Where the cloud does not tell when the new key ends: the day, to be reminded in time.",
            widget=forms.DateInput(attrs={"type": "date"}),
            error_messages={"invalid": "Enter a day like 2027-01-31."},
        ),
        "other_identity": forms.BooleanField(
            label="The new key is of another identity, and that is meant",
            required=False,
            help_text="What was granted to the old identity has to be granted to the new one, in the cloud and in "
            "clusters. Keyhaven then cannot retire the old key itself.",
        ),
    }


@sensitive_variables()
def values_form(
    method: Method, credential: CloudCredential, data: Any = None, files: Any = None
) -> SecretForm:
    """Return the method's own form for new values; what is public stays as it is and is not asked for."""
    kept = {name: value for name, value in credential.facts.items() if name not in OF_THE_KEY}
    form = method.form(data, files, initial=kept)
    for name, bound in form.fields.items():
        bound.disabled = name in kept and not isinstance(bound, SecretField | forms.FileField)
    extra = _extra()
    if "expires" in form.fields:
        del extra["ends_on"]
    form.add_fields({}, extra)
    return form


def until(form: SecretForm) -> datetime.datetime | None:
    """Return when the new values end, as somebody said: with the day that was entered."""
    day = form.cleaned_data.get("ends_on")
    if day is None:
        return None
    following = day + datetime.timedelta(days=1)
    return timezone.make_aware(datetime.datetime.combine(following, datetime.time.min), datetime.UTC)


class DeleteKeyForm(TypedNameForm):
    """The credential's name, typed to delete its old key; `override` although that may still be in use."""

    noun, act = "credential", "delete the old key of"

    override = forms.BooleanField(label="Delete it although it may still be in use", required=False)

    def __init__(self, expected: str, data: Any = None, *, doubt: str = "") -> None:
        super().__init__(expected, data)
        if doubt:
            self.fields["override"].help_text = doubt
        else:
            del self.fields["override"]


class RemovedForm(forms.Form):
    """That the old key was removed in the cloud by hand."""

    removed = forms.BooleanField(
        label="The old key is removed in the cloud",
        error_messages={"required": "Remove the old key in the cloud first, then tick this."},
    )
