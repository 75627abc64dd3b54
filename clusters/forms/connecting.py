"""The forms that connect a cluster."""

from typing import Any

from django import forms

from accounts.naming import name_rule
from clusters import kubeconfig
from credentials.fields import SealedTextarea, pasted_or_uploaded

NAME_HELP = "How it is called here, for example payments-prod."


class KubeconfigForm(forms.Form):
    """A kubeconfig, pasted or uploaded. Clean, it has `text`; the text itself is never rendered back."""

    kubeconfig = forms.CharField(
        label="Kubeconfig",
        error_messages={"required": "Paste a kubeconfig, or choose its file."},
        widget=SealedTextarea(
            attrs={"rows": 10, "spellcheck": "false", "autocomplete": "off", "autofocus": True}
        ),
        help_text="Paste what “kubectl config view --raw --flatten --minify” prints. It is stored encrypted and never shown again.",
    )
    file = forms.FileField(label="Or upload the file", required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["text"] = pasted_or_uploaded(self, "kubeconfig", kubeconfig.LARGEST)
        return cleaned


class ContextForm(forms.Form):
    """Which of several contexts to connect."""

    context = forms.ChoiceField(label="Context", widget=forms.RadioSelect)

    def __init__(self, data: Any, contexts: list[str]) -> None:
        super().__init__(data)
        self.fields["context"].choices = [(name, name) for name in contexts]  # type: ignore[attr-defined]


class NameForm(forms.Form):
    """The name of a cluster that is about to be connected."""

    name = forms.CharField(
        label="Name",
        max_length=40,
        validators=[name_rule],
        help_text=NAME_HELP,
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off", "autofocus": True}),
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name == "connect":
            raise forms.ValidationError("The name connect is taken by a page; choose another.")
        return name
