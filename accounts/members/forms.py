"""The forms of members: search, roles, removal, and questions about who may what where."""

from django import forms

from accounts.custom_roles.fields import RolesField
from accounts.naming import TypedNameForm
from accounts.organizations.models import User
from accounts.roles import GROUPS

_QUIET = {"spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}


class SearchForm(forms.Form):
    """The filter of the team: a part of a name or address, and after whom the page begins."""

    q = forms.CharField(required=False, max_length=120)
    after = forms.IntegerField(required=False, min_value=1)


class RolesForm(forms.Form):
    """The roles of a member."""

    roles = RolesField()


class PlaceForm(forms.Form):
    """A place to ask about; what is left out is not asked about."""

    cluster = forms.CharField(required=False, max_length=40, widget=forms.TextInput(attrs=_QUIET))
    namespace = forms.CharField(required=False, max_length=63, widget=forms.TextInput(attrs=_QUIET))
    secret = forms.CharField(
        label="Name of a secret", required=False, max_length=512, widget=forms.TextInput(attrs=_QUIET)
    )

    def place(self) -> dict[str, str | None]:
        """Return the place; None where nothing was typed."""
        return {name: self.cleaned_data.get(name) or None for name in ("cluster", "namespace", "secret")}


class WhoForm(PlaceForm):
    """An act and a place to ask about."""

    permission = forms.ChoiceField(
        label="Who may",
        choices=[(title, [(one.value, one.sentence) for one in group]) for title, group in GROUPS],
    )
    field_order = ["permission", "cluster", "namespace", "secret"]


class RemoveForm(TypedNameForm):
    """The address of a member, or a machine's name, typed to remove them."""

    noun, act = "member", "remove"

    def __init__(self, user: User, data: object = None) -> None:
        super().__init__(user.name if user.is_machine else user.email, data)
        what = "name" if user.is_machine else "e-mail address"
        self.fields["name"].label = f"Type the {what} of {user}"
        self.fields["name"].error_messages["required"] = f"Type the {what} of whom to remove."

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name.lower() != self.expected.lower():
            raise forms.ValidationError(f"That is not {self.expected}.")
        return name
