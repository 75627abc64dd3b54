"""The filter of the list of links, and where they can be moved to."""

from typing import Any

from django import forms

from clusters.models import Cluster
from external_secrets import moving
from external_secrets.browsing_accesses import Listed
from external_secrets.models import ExternalSecret


class LinkedFilter(forms.Form):
    """What the list of linked secrets is filtered by; all of it is in the URL. What is no choice filters nothing."""

    SCOPES = (("", "Services and namespaces"), ("service", "One service"), ("namespace", "A whole namespace"))
    KINDS = (
        ("", "Any kind"),
        ("variable", "Variables"),
        ("file", "Files"),
        ("several", "Several values"),
        ("alias", "Aliases"),
    )

    q = forms.CharField(required=False, max_length=200)
    status = forms.ChoiceField(
        label="State", required=False, choices=(("", "Any state"), *ExternalSecret.Status.choices)
    )
    cluster = forms.ModelChoiceField(
        Cluster.objects.none(), required=False, to_field_name="name", empty_label="Any cluster"
    )
    access = forms.ChoiceField(required=False)
    scope = forms.ChoiceField(required=False, choices=SCOPES)
    kind = forms.ChoiceField(required=False, choices=KINDS)

    def __init__(self, clusters: Any, accesses: list[Listed], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "%s"
        if clusters is None:
            # The page is of one cluster.
            del self.fields["cluster"]
        else:
            self.fields["cluster"].queryset = clusters  # type: ignore[attr-defined]
        found = [(str(access.pk), str(access)) for access in accesses]
        self.fields["access"].choices = [("", "Any access"), *found]  # type: ignore[attr-defined]
        for bound in self.selects:
            bound.field.widget.attrs["class"] = "select"

    @property
    def selects(self) -> list[forms.BoundField]:
        names = ("status", "cluster", "access", "scope", "kind")
        return [self[name] for name in names if name in self.fields]

    def clean_q(self) -> str:
        return str(self.cleaned_data["q"]).replace("\x00", "")


class MoveForm(forms.Form):
    """To which other access links go. The clean value is a `moving.Target` that can have them."""

    target = forms.CharField(label="Move to", error_messages={"required": "Choose where they go."})

    def __init__(self, targets: list[moving.Target], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.targets = targets

    def clean_target(self) -> moving.Target:
        wanted = self.cleaned_data["target"]
        found = next((one for one in self.targets if one.access.name == wanted), None)
        if found is None:
            raise forms.ValidationError("This access is not on the cluster any more; choose another.")
        if found.obstacle:
            raise forms.ValidationError(f"{found.obstacle} {found.remedy}")
        return found
