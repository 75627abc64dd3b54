"""Tags as a form takes them: one a line, as name=value."""

from collections.abc import Mapping

from django import forms

LONGEST_TAG = 256
MOST_TAGS = 20


class TagsField(forms.CharField):
    """Tags as lines such as `env=prod`; clean, they are a dict."""

    widget = forms.Textarea(attrs={"rows": 2, "spellcheck": "false"})

    def to_python(self, value: str | None) -> str:
        return super().to_python(value) or ""

    def clean(self, value: str | None) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in filter(None, map(str.strip, super().clean(value).splitlines())):
            name, text = _tag(line)
            if found.setdefault(name, text) != text:
                raise forms.ValidationError(f"{name} is there twice; a secret has each tag once.")
        if len(found) > MOST_TAGS:
            raise forms.ValidationError(f"These are {len(found)} tags; {MOST_TAGS} are enough for anybody.")
        return found


def _tag(line: str) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in line.partition("="))
    if not (equals and name and value):
        raise forms.ValidationError(f"“{line[:80]}” is no tag. Write one a line, as name=value.")
    if max(len(name), len(value)) > LONGEST_TAG or not line.isprintable():
        raise forms.ValidationError(f"“{line[:80]}” is longer than a tag can be, or has control characters.")
    return name, value


def lines(tags: Mapping[str, str]) -> str:
    """Return tags as the field takes them."""
    return "\n".join(f"{name}={value}" for name, value in sorted(tags.items()))
