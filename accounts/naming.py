"""What people may call things, and how they name one that is to go."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator

name_rule = RegexValidator(
    r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?\Z",
    "Use at most 40 lower-case letters, digits and hyphens; start and end with a letter or digit.",
)


class TypedNameForm(forms.Form):
    """A thing's name, typed by somebody who means to remove it; `noun` says what it is, `act` what becomes of it."""

    noun, act = "thing", "delete"

    name = forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, expected: str, data: Any = None) -> None:
        super().__init__(data)
        self.expected = expected
        self.fields["name"].label = f"Type the {self.noun}'s name"
        required = f"Type the name of the {self.noun} to {self.act} it."
        self.fields["name"].error_messages["required"] = required

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name != self.expected:
            raise forms.ValidationError(f"This {self.noun} is called {self.expected}.")
        return name
