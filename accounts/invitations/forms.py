"""The forms of invitations: asking somebody in, and coming in."""

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.views.decorators.debug import sensitive_variables

from accounts.authority import Authority
from accounts.custom_roles.fields import RolesField
from accounts.organizations.models import Organization, User
from accounts.roles import Role

_ADDRESS = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


class EmailField(forms.EmailField):
    """An address, in lower case."""

    def clean(self, value: Any) -> Any:
        cleaned: str = super().clean(value)
        return cleaned.lower()


class InviteForm(forms.Form):
    """Whom to invite, with which roles, for how long."""

    how = forms.ChoiceField(
        label="How",
        choices=[("email", "By e-mail"), ("link", "By a link")],
        initial="email",
        widget=forms.RadioSelect,
    )
    email = EmailField(
        label="E-mail address",
        required=False,
        max_length=254,
        widget=forms.EmailInput(attrs=_ADDRESS),
        help_text="Only for an invitation by e-mail.",
    )
    roles = RolesField(initial=[Role.VIEWER.value])
    days = forms.TypedChoiceField(
        label="Good for",
        choices=[(1, "1 day"), (7, "7 days"), (30, "30 days")],
        initial=7,
        coerce=int,
    )

    def __init__(self, organization: Organization, authority: Authority, data: Any = None) -> None:
        super().__init__(data)
        self.fields["how"].consequences = {  # type: ignore[attr-defined]
            "email": "The link goes to the address, and is for it alone",
            "link": "You hand it over; whoever opens it first comes in",
        }
        # Needed for one of the two ways, so not called optional.
        self.fields["email"].one_of = True  # type: ignore[attr-defined]
        roles = self.fields["roles"]
        assert isinstance(roles, RolesField)  # noqa: S101 for the type checker
        roles.offer(organization, authority)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("how") == "link":
            cleaned["email"] = ""
            self.errors.pop("email", None)
        elif not cleaned.get("email") and "email" not in self.errors:
            self.add_error("email", "Type the address of the person to invite.")
        return cleaned


class RegisterForm(forms.Form):
    """A new person's name and password."""

    name = forms.CharField(
        label="Your name",
        max_length=120,
        error_messages={"required": "Type your name, as colleagues shall read it."},
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(
        label="Password",
        max_length=1000,
        strip=False,
        error_messages={"required": "Type a password."},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="A long one that you use nowhere else.",
    )

    def __init__(self, data: Any = None, *, email: str = "") -> None:
        super().__init__(data)
        self.email = email

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        if not name.isprintable():
            raise forms.ValidationError("A name has no invisible characters.")
        return name

    @sensitive_variables()
    def clean_password(self) -> str:
        user = User(email=self.email, name=self.cleaned_data.get("name", ""))
        password: str = get_adapter().clean_password(self.cleaned_data["password"], user=user)
        return password


class AddressForm(forms.Form):
    """The address of somebody who came by a link and is not signed in."""

    email = EmailField(
        label="Your e-mail address",
        error_messages={"required": "Type your e-mail address."},
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
