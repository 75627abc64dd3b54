"""Form fields of what a link takes: one value or several, and the tags of several."""

from django import forms

from external_secrets.models import ExternalSecret

Takes = ExternalSecret.Takes

LONGEST_TAG = 256
MOST_TAGS = 20
# A file is in a directory that follows; a variable stands in the workload by its name.
_NEW = "as files by themselves, as variables with the next deploy."


class TakesField(forms.ChoiceField):
    """Radio cards, each with the line that says what follows from it."""

    widget = forms.RadioSelect
    consequences = {
        Takes.VALUE: "A value, or one field of a JSON value, as one variable or file.",
        Takes.KEYS: f"Each key of the JSON object becomes a variable or a file. New keys: {_NEW}",
        Takes.PATH: f"Each secret becomes one by its name. Secrets that are made there later: {_NEW}",
        Takes.TAGS: f"Each secret that has them becomes one. Those tagged later: {_NEW}",
    }

    def __init__(self) -> None:
        super().__init__(label="What is taken", choices=Takes.choices, initial=Takes.VALUE, required=False)


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
