"""The forms of clusters: connect, choose a context, replace a kubeconfig, disconnect."""

from typing import Any

from django import forms

from clusters import kubeconfig
from clusters.models.clusters import name_rule

NAME_HELP = "How it is called here, for example payments-prod."


class SealedTextarea(forms.Textarea):
    """A text area for what must not come back in a page: it is rendered empty, also after an error."""

    def format_value(self, value: Any) -> str:
        return ""


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
        upload = cleaned.get("file")
        text = cleaned.get("kubeconfig", "")
        if upload is not None and not text:
            self.errors.pop("kubeconfig", None)
            if upload.size > kubeconfig.LARGEST:
                raise forms.ValidationError({"file": "The kubeconfig is larger than 256 KB."})
            text = upload.read().decode(errors="replace")
        cleaned["text"] = text
        return cleaned


class ReplaceForm(KubeconfigForm):
    """Another kubeconfig for a cluster that is connected."""

    context = forms.CharField(
        label="Context",
        required=False,
        help_text="Needed when the kubeconfig has several.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
    )


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


class DisconnectForm(forms.Form):
    """The cluster's name, typed by somebody who means it."""

    name = forms.CharField(
        label="Type the cluster's name", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, data: Any, expected: str) -> None:
        super().__init__(data)
        self.expected = expected

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name != self.expected:
            raise forms.ValidationError(f"This cluster is called {self.expected}.")
        return name
