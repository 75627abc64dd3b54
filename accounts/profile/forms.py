"""What a person types on the pages of their own account."""

from typing import Any, cast

from allauth.core import context
from allauth.mfa.totp.internal.auth import validate_totp_code
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables

from accounts.organizations.models import User
from accounts.sign_in import devices, factors, limits, sessions
from accounts.sign_in.adapter import TooMany
from accounts.sign_in.forms import NONSENSE, WRONG_CODE, WRONG_PASSKEY, code_field, password_field

PASSWORD_HINT = "At least 8 characters, any will do: a sentence is easier to keep than a riddle."


class NameForm(forms.Form):
    name = forms.CharField(label="Name", max_length=120, widget=forms.TextInput({"autocomplete": "name"}))


def _count_try(user: User) -> None:
    device = devices.known(context.request, user)
    if wait := limits.of_proof(address=sessions.address(context.request), person=user.pk, device=device):
        raise TooMany(wait)


class PasswordForm(forms.Form):
    """Takes the old password, if there is one, and the new one."""

    current = password_field("Current password")
    new = password_field("New password", "new-password")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.fields["new"].help_text = PASSWORD_HINT
        if not user.has_usable_password():
            del self.fields["current"]

    def clean_new(self) -> str:
        new = cast(str, self.cleaned_data["new"])
        validate_password(new, self.user)
        return new

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if "current" in typed and "new" in typed:
            _count_try(self.user)
            if not self.user.check_password(typed["current"]):
                self.add_error("current", "The current password is not right.")
        return typed


class AppForm(forms.Form):
    """Takes the first code of an app, which shows that it holds the secret."""

    code = code_field()

    def __init__(self, *args: Any, user: User, secret: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user, self.secret = user, secret
        self.fields["code"].help_text = "The six digits that the app shows now."

    def clean_code(self) -> str:
        _count_try(self.user)
        code = cast(str, self.cleaned_data["code"]).replace(" ", "")
        if not validate_totp_code(self.secret, code) or not factors.first_use(self.user, code):
            raise ValidationError(WRONG_CODE)
        return code


class PasskeyNameForm(forms.Form):
    name = forms.CharField(label="Name", max_length=60, initial="Passkey")


class AddPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """Takes what the browser made; it must have checked the person by finger, face or PIN."""

    name = forms.CharField(
        label="Name", max_length=60, help_text="So that you know it among others, for example the device."
    )
    field_order = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("passwordless", None)
        self.initial["name"] = "Passkey"

    def clean(self) -> dict[str, Any]:
        try:
            return cast(dict[str, Any], super().clean())
        except ValidationError as error:
            raise ValidationError(WRONG_PASSKEY) from error
        except NONSENSE as error:
            raise ValidationError(WRONG_PASSKEY) from error
