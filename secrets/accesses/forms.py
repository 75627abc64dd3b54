"""The wizard's own forms; a provider brings its fields itself."""

from typing import Any

from django import forms

from accesses.models import Access
from accesses.providers import PROVIDERS, Provider
from clusters.models import Cluster
from clusters.models.clusters import name_rule


def all_valid(*checked: forms.Form) -> bool:
    """Validate every form, so that each shows its own errors."""
    return False not in [form.is_valid() for form in checked]


class ProviderForm(forms.Form):
    """Which secret manager."""

    provider = forms.ChoiceField(widget=forms.RadioSelect)

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        choices = [(provider.slug, provider.label) for provider in PROVIDERS.values()]
        self.fields["provider"].choices = choices  # type: ignore[attr-defined]


class MethodForm(forms.Form):
    """How the cluster signs in."""

    method = forms.ChoiceField(widget=forms.RadioSelect)

    def __init__(self, provider: Provider, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        choices = [(method.slug, method.label) for method in provider.methods]
        self.fields["method"].choices = choices  # type: ignore[attr-defined]


def namespaces_of(cluster: Cluster) -> list[str]:
    """Return the namespaces in which the cluster has services."""
    found = cluster.services.filter(gone_at=None).order_by("namespace")
    return list(found.values_list("namespace", flat=True).distinct())


class NamespacesForm(forms.Form):
    """Which namespaces may use the store."""

    namespaces = forms.MultipleChoiceField(
        label="Namespaces that may use it",
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": "Choose at least one namespace; nobody else in the cluster can use the store."
        },
    )

    def __init__(self, cluster: Cluster, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        chosen = list((kwargs.get("initial") or {}).get("namespaces") or [])
        names = sorted({*namespaces_of(cluster), *chosen})
        self.fields["namespaces"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]


class NameForm(forms.Form):
    """The access's name, unique in its cluster."""

    name = forms.CharField(
        label="Name",
        max_length=40,
        validators=[name_rule],
        help_text="Part of the store's name in the cluster, for example aws-prod.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, cluster: Cluster, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.cluster = cluster

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name == "new":
            raise forms.ValidationError("The name new is taken by a page; choose another.")
        if Access.objects.filter(cluster=self.cluster, name=name).exists():
            raise forms.ValidationError(f"{self.cluster} already has an access named {name}.")
        return name


class DeleteForm(forms.Form):
    """The access's name, typed by somebody who means it."""

    name = forms.CharField(
        label="Type the access's name", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, expected: str, data: Any = None) -> None:
        super().__init__(data)
        self.expected = expected

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name != self.expected:
            raise forms.ValidationError(f"This access is called {self.expected}.")
        return name
