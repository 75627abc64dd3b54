"""The forms of an organization: its name and address, its next owner, its end."""

from typing import Any

from django import forms

from accounts.naming import TypedNameForm
from accounts.organizations.closing import CLOSED
from accounts.organizations.models import Membership, Organization, slug_rule


class OrganizationForm(forms.Form):
    """An organization's name, and its part of the URLs."""

    name = forms.CharField(
        max_length=80,
        error_messages={"required": "Give the organization a name."},
        help_text="As people say it, for example Acme Platform.",
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    slug = forms.CharField(
        label="Address",
        max_length=63,
        error_messages={"required": "Give the organization an address."},
        validators=[slug_rule],
        help_text="Its part of the URLs, for example acme. Lower-case letters, digits and hyphens.",
        widget=forms.TextInput(
            attrs={"spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}
        ),
    )

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        if not name.isprintable():
            raise forms.ValidationError("A name has no invisible characters.")
        return name

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if slug.startswith(CLOSED):
            raise forms.ValidationError(f"An address does not begin with {CLOSED}. Choose another.")
        return slug


class TransferForm(TypedNameForm):
    """To whom an organization goes, and its name, typed."""

    noun, act = "organization", "hand over"

    to = forms.ModelChoiceField(
        Membership.objects.none(),
        label="New owner",
        empty_label="Choose a member",
        error_messages={"required": "Choose to whom.", "invalid_choice": "Choose a member of the list."},
    )
    field_order = ["to", "name"]

    def __init__(self, membership: Membership, data: Any = None) -> None:
        super().__init__(membership.organization.name, data)
        people = Membership.objects.owned_by(membership.organization).exclude(pk=membership.pk)
        people = people.filter(user__is_active=True, user__is_machine=False)
        field = self.fields["to"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 for the type checker
        field.queryset = people.select_related("user").order_by("user__name", "pk")
        field.label_from_instance = lambda obj: f"{obj.user.name} ({obj.user.email})"  # type: ignore[method-assign]


class DeleteForm(TypedNameForm):
    """The name of an organization, typed to delete it."""

    noun = "organization"


def named(organization: Organization) -> dict[str, str]:
    """Return what the form of an organization begins with."""
    return {"name": organization.name, "slug": organization.slug}
