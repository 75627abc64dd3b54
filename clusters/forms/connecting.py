"""The forms that connect a cluster."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from accounts.naming import name_rule
from clusters import finding, kubeconfig
from credentials.fields import SealedTextarea, pasted_or_uploaded
from credentials.models import CloudCredential

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


class WayForm(forms.Form):
    """How a cluster is reached: by a cloud credential that finds it, or by a kubeconfig."""

    CREDENTIAL, KUBECONFIG = "credential", "kubeconfig"

    by = forms.ChoiceField(
        label="How is the cluster reached?",
        choices=[(CREDENTIAL, "By a cloud credential"), (KUBECONFIG, "By a kubeconfig")],
        widget=forms.RadioSelect,
        error_messages={
            "required": "Choose how the cluster is reached.",
            "invalid_choice": "Choose one of the ways in the list.",
        },
    )


class CredentialForm(forms.Form):
    """The cloud credential that finds the cluster."""

    # More than these are a list to choose from instead of cards.
    CARDS = 8

    credential = forms.ModelChoiceField(
        CloudCredential.objects.none(),
        label="Which credential finds it?",
        to_field_name="name",
        empty_label=None,
        widget=forms.RadioSelect,
        error_messages={
            "required": "Choose a cloud credential.",
            "invalid_choice": "There is no such cloud credential that finds clusters.",
        },
    )

    def __init__(self, credentials: QuerySet[CloudCredential], data: Any = None) -> None:
        found = list(credentials[: self.CARDS + 1])
        super().__init__(data, initial={"credential": found[0].name if found else None})
        field: Any = self.fields["credential"]
        if len(found) > self.CARDS:
            field.widget = forms.Select()
            field.label_from_instance = lambda one: f"{one.name} · {finding.finder(one).label}"
        else:
            field.consequences = {one.name: _consequence(one) for one in found}
        field.queryset = credentials


def _consequence(credential: CloudCredential) -> str:
    """Return what a credential finds, and as whom."""
    parts = (finding.finder(credential).label, credential.account, credential.identity)
    return " · ".join(part for part in parts if part)


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
