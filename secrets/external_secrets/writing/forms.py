"""The forms for writing secrets. The value is in no page that comes back, and in no error."""

from typing import Any

from django import forms

from accesses.models import Access
from accesses.providers import PROVIDERS
from accounts import tags
from accounts.naming import TypedNameForm
from credentials.fields import SealedTextarea
from external_secrets.inventory_staging import LONGEST_NAME

AGAIN = "Type the value again: what was typed is kept nowhere."
_PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


class ValueField(forms.CharField):
    """A secret's value as it is typed, with the line ends that a text has; it never comes back."""

    widget = SealedTextarea(attrs=_PLAIN | {"rows": 6, "class": "mono", "data-secret": "true"})

    def __init__(self) -> None:
        super().__init__(
            label="Value",
            strip=False,
            error_messages={"required": "Enter the value."},
            help_text="Sent to the secret manager once, and kept nowhere else. Spaces and line ends at its ends count.",
        )

    def clean(self, value: Any) -> str:
        # Browsers send a text area's lines with CRLF, whatever was typed.
        return str(super().clean(value)).replace("\r\n", "\n")


class _ValueForm(forms.Form):
    """One with a value: after an error anywhere it has to be typed again, which is said there."""

    def say_again(self) -> None:
        """Say at the value that it is gone, where nothing else is said of it."""
        if self.is_bound and self.errors and "value" not in self.errors:
            self.add_error("value", AGAIN)


class NewSecretForm(_ValueForm):
    """A new secret: its name behind the access's prefix, its value, and tags besides the default ones."""

    name = forms.CharField(
        max_length=LONGEST_NAME,
        strip=False,
        error_messages={"required": "Enter a name."},
        widget=forms.TextInput(attrs=_PLAIN),
    )
    value = ValueField()
    tags = tags.TagsField(label="More tags", help_text="One a line, as name=value.")

    def __init__(self, access: Access, data: Any = None, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        writing = PROVIDERS[access.provider].writing_of(access)
        if access.prefix:
            self.fields["name"].help_text = f"What comes behind {access.prefix}"
        if writing is None or not writing.tags:
            del self.fields["tags"]


class VersionForm(_ValueForm):
    """The value of a new version."""

    value = ValueField()


class TagsForm(forms.Form):
    """Tags to add to a secret, or to change."""

    tags = tags.TagsField(
        label="Tags to add or change", help_text="One a line, as name=value. Other tags stay."
    )

    def clean_tags(self) -> dict[str, str]:
        found: dict[str, str] = self.cleaned_data["tags"]
        if not found:
            raise forms.ValidationError("Enter at least one tag, as name=value.")
        return found


class DeleteForm(TypedNameForm):
    """The name of a secret, typed to delete it."""

    noun = "secret"
