"""The pages' own forms and fields; a cloud brings the rest itself."""

from typing import Any

from django import forms

from accounts.models import Organization
from accounts.naming import TypedNameForm, name_rule
from credentials import clouds
from credentials.clouds.base import Method
from credentials.fields import SecretForm
from credentials.models import CloudCredential


class KindForm(forms.Form):
    """Which cloud, and which kind of credential of it: `aws.static`."""

    kind = forms.ChoiceField(
        label="Of which cloud?",
        widget=forms.RadioSelect,
        error_messages={
            "required": "Choose a kind of credential.",
            "invalid_choice": "Choose a kind of credential from the list.",
        },
    )

    def __init__(self, data: Any = None) -> None:
        kinds = {
            f"{cloud.slug}.{method.slug}": (f"{cloud.label}: {method.label.lower()}", method.consequence)
            for cloud in clouds.CLOUDS.values()
            for method in cloud.methods
        }
        super().__init__(data, initial={"kind": next(iter(kinds))})
        field: Any = self.fields["kind"]
        field.choices = [(slug, label) for slug, (label, _) in kinds.items()]
        field.consequences = {slug: words for slug, (_, words) in kinds.items()}


def credential_form(
    organization: Organization,
    method: Method,
    credential: CloudCredential | None = None,
    data: Any = None,
    files: Any = None,
) -> SecretForm:
    """Return the form that makes a credential, or changes one: its name, then the cloud's own fields."""
    initial = {"name": credential.name, **credential.facts} if credential else None
    form = method.form(data, files, initial=initial, stored=credential.secret if credential else ())
    form.add_fields({"name": _name_field(organization, credential)}, {})
    return form


def _name_field(organization: Organization, credential: CloudCredential | None) -> forms.Field:
    def free(name: str) -> None:
        if name == "new":
            raise forms.ValidationError("The name new is taken by a page; choose another.")
        others = CloudCredential.objects.owned_by(organization)
        if credential is not None:
            others = others.exclude(pk=credential.pk)
        if others.filter(name=name).exists():
            raise forms.ValidationError(f"There is a credential named {name} already.")

    return forms.CharField(
        label="Name",
        max_length=40,
        validators=[name_rule, free],
        error_messages={"required": "Enter a name for this credential."},
        help_text="How it is called here: the cloud, the stage and perhaps the place, for example aws-prod.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class DeleteForm(TypedNameForm):
    noun = "credential"
