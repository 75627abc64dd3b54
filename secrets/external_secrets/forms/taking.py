"""Form fields of what a link takes: one value or several, and the tags of several."""

from django import forms

from external_secrets.models import ExternalSecret

Takes = ExternalSecret.Takes

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
