"""Form fields for what must not come back in a page, the form that holds them, one that suggests, and how pages group them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


class SealedTextarea(forms.Textarea):
    """A text area for what must not come back in a page: it is rendered empty, also after an error."""

    def format_value(self, value: Any) -> str:
        return ""


class SecretField(forms.CharField):
    """A credential: never sent back to the browser; left blank, keeps the stored one."""

    widget = forms.PasswordInput(
        render_value=False, attrs={"autocomplete": "off", "spellcheck": "false", "data-secret": "true"}
    )


def pasted_or_uploaded(form: forms.Form, name: str, largest: int) -> str:
    """Return the text that was pasted in a field, or else uploaded in `file`; then the field may be blank.

    :raises forms.ValidationError: the file has more than `largest` bytes
    """
    text, upload = form.cleaned_data.get(name, ""), form.cleaned_data.get("file")
    if upload is None or text:
        return str(text)
    form.errors.pop(name, None)
    if upload.size > largest:
        raise forms.ValidationError({"file": f"The file is larger than {largest // 1024} KB."})
    return str(upload.read().decode(errors="replace"))


class SecretForm(forms.Form):
    """What makes up a credential: `SecretField`s are its secret, all others but files are public facts."""

    def __init__(
        self,
        data: Any = None,
        files: Any = None,
        *,
        initial: dict[str, Any] | None = None,
        stored: Iterable[str] = (),
    ) -> None:
        super().__init__(data, files, initial=initial)
        # The names of the secrets that are there already, and stay when left blank.
        self.stored = frozenset(stored) & frozenset(self.secret_names())
        for name, bound in self.fields.items():
            label = str(bound.label)
            # “CA certificate” stays as it is.
            begun = label if label[:2].isupper() else f"{label[:1].lower()}{label[1:]}"
            bound.error_messages["required"] = f"Enter the {begun}."
            bound.required = bound.required and name not in self.stored

    def add_fields(self, before: dict[str, forms.Field], after: dict[str, forms.Field]) -> None:
        """Put fields of the page around the form's own; they are no part of the credential."""
        self.fields = before | self.fields | after

    @classmethod
    def secret_names(cls) -> list[str]:
        """Return the names of the fields that hold a secret."""
        return [name for name, bound in cls.base_fields.items() if isinstance(bound, SecretField)]

    def given(self) -> dict[str, str]:
        """Return what is not secret."""
        return {
            name: self.cleaned_data[name]
            for name, bound in self.base_fields.items()
            if not isinstance(bound, SecretField | forms.FileField)
        }

    def secret(self, kept: dict[str, str]) -> dict[str, str]:
        """Return the secret: what was typed, over what is stored."""
        typed = {name: self.cleaned_data.get(name, "") for name in self.secret_names()}
        return kept | {name: value for name, value in typed.items() if value}


class SuggestingInput(forms.TextInput):
    """A text field that suggests values, each with a name that people know it by, and takes others as well."""

    def __init__(self, suggestions: Callable[[], dict[str, str]]) -> None:
        super().__init__(attrs={"autocomplete": "off", "spellcheck": "false"})
        self.suggestions = suggestions

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        own = f"{name}-suggestions"
        shown = super().render(name, value, (attrs or {}) | {"list": own}, renderer)
        options = format_html_join(
            "",
            '<option value="{}" label="{}"></option>',
            ((k, v or k) for k, v in self.suggestions().items()),
        )
        return format_html('{}<datalist id="{}">{}</datalist>', shown, own, options)


@dataclass(slots=True)
class Row:
    """A field, or some that are folded under `summary`; `only` is the class that hides them where they are pointless."""

    summary: str
    only: str
    fields: list[forms.BoundField]
    stored: bool = False

    @property
    def is_open(self) -> bool:
        """A fold with something in it, or with an error, is open."""
        return self.stored or any(one.errors or one.value() for one in self.fields)


@dataclass(frozen=True, slots=True)
class Group:
    """Fields under one heading."""

    slug: str
    title: str
    rows: list[Row]
