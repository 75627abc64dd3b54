"""Tags as people write them, one a line: put on what the console makes, or had by what is looked for."""

from collections.abc import Mapping
from typing import Any

from django import forms

# Secret managers that take less say so themselves.
LONGEST, MOST = 256, 40
_LINES = {"rows": 4, "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none", "class": "mono"}


def as_lines(tags: Mapping[str, str]) -> str:
    """Return tags as a field shows them."""
    return "\n".join(f"{name}={value}" for name, value in sorted(tags.items()))


class TagsField(forms.CharField):
    """Tags as lines such as `team=shop`; clean, they are a dict, and none is there with two values."""

    widget = forms.Textarea(attrs=_LINES)

    def __init__(self, **given: Any) -> None:
        super().__init__(**{"required": False, "max_length": 20_000} | given)

    def to_python(self, value: Any) -> str:
        return super().to_python(value) or ""

    def clean(self, value: Any) -> dict[str, str]:
        lines = super().clean(value).splitlines()
        return checked(tag_of(line.strip()) for line in lines if line.strip())


def checked(pairs: Any) -> dict[str, str]:
    """Return (name, value) pairs as a dict.

    :raises forms.ValidationError: one is there with two values, or they are too many
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            raise forms.ValidationError(f"{name} is there twice; a secret has each tag once.")
    if len(found) > MOST:
        raise forms.ValidationError(f"These are {len(found)} tags; at most {MOST} are put on a secret.")
    return found


def tag_of(line: str) -> tuple[str, str]:
    """Return a line's tag.

    :raises forms.ValidationError: it is none
    """
    name, equals, value = (part.strip() for part in line.partition("="))
    return check(name, value if equals and value else "")


def check(name: str, value: str) -> tuple[str, str]:
    """Return a tag that is one.

    :raises forms.ValidationError: it is none
    """
    shown = f"{name}={value}"[:80]
    if not (name and value) or "=" in name:
        raise forms.ValidationError(f"“{shown}” is no tag. Write one a line, as name=value.")
    if max(len(name), len(value)) > LONGEST:
        raise forms.ValidationError(
            f"“{shown}” is too long: a name and a value have at most {LONGEST} characters each."
        )
    if not f"{name}{value}".isprintable():
        raise forms.ValidationError(f"“{shown!a}” has invisible characters.")
    return name, value
