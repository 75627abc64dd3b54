"""What is typed to sign in, and to prove it again."""

from typing import Any, cast

from allauth.account.forms import LoginForm, ResetPasswordKeyForm
from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import AuthenticateWebAuthnForm
from cryptography.exceptions import InvalidSignature
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.views.decorators.debug import sensitive_variables

from accounts.organizations.models import User
from accounts.sign_in import devices, factors, limits, records, sessions
from accounts.sign_in.adapter import TooMany
from accounts.sign_in.backend import Backend
from accounts.sign_in.tasks import mail_reset

LONGEST = 1000
WRONG_CODE = "This code is not right, or it was used already. An app shows a new one every 30 seconds."
WRONG_PASSKEY = "This passkey is not known here, or the browser took too long. Try again."
# What fido2 and the encodings below it raise on an answer that no authenticator gave.
NONSENSE = (ValueError, TypeError, KeyError, AttributeError, IndexError, InvalidSignature)


def address_field() -> forms.EmailField:
    attributes = {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
    return forms.EmailField(label="E-mail", max_length=254, widget=forms.EmailInput(attributes))


def password_field(label: str = "Password", autocomplete: str = "current-password") -> forms.CharField:
    widget = forms.PasswordInput({"autocomplete": autocomplete})
    return forms.CharField(label=label, strip=False, max_length=LONGEST, widget=widget)


class SignInForm(LoginForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = address_field()
        self.fields["password"] = password_field()

    @property
    def limited(self) -> bool:
        return bool(self.has_error("__all__", "too_many"))


class ResetForm(forms.Form):
    """Asks for a mail that resets a password; nothing that it says or does tells whether anybody gets one."""

    email = address_field()

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if wait := limits.of_reset(address=sessions.address(context.request), account=email):
            raise TooMany(wait)
        return email

    def save(self, *_: Any, **__: Any) -> str:
        email: str = self.cleaned_data["email"]
        mail_reset.delay(email=email)
        return email


class NewPasswordForm(ResetPasswordKeyForm):  # type: ignore[misc]
    """Takes a new password from the one who has the link; no longer one than can be typed to sign in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("password1", "password2"):
            self.fields[name].validators.append(MaxLengthValidator(LONGEST))


def code_field() -> forms.CharField:
    attributes = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}
    return forms.CharField(label="Code", max_length=40, widget=forms.TextInput(attributes))


def _prover(user: User) -> dict[str, Any]:
    """Return by what tries of a proof are counted."""
    request = context.request
    return {"address": sessions.address(request), "person": user.pk, "device": devices.known(request, user)}


class CodeForm(AuthenticateForm):  # type: ignore[misc]
    """Takes the second factor of somebody who has given the password: a code of the app, or a recovery code."""

    code = code_field()

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        who = _prover(self.user)
        if wait := limits.of_proof(**who):
            records.failed(user=self.user, action="sign_in.limited", details={"step": "second factor"})
            raise TooMany(wait)
        factor = factors.check(self.user, code)
        if factor is None:
            records.failed(user=self.user, action="sign_in.failed", details={"step": "second factor"})
            raise ValidationError(WRONG_CODE)
        limits.proof_was_right(**who)
        self.authenticator = factor
        return code


class PasskeyForm(AuthenticateWebAuthnForm):  # type: ignore[misc]
    """Takes what the browser says for a passkey; with `user` None it also tells who it is."""

    def clean_credential(self) -> Authenticator:
        try:
            factor = cast(Authenticator, super().clean_credential())
        except ValidationError as error:
            raise ValidationError(WRONG_PASSKEY) from error
        except NONSENSE as error:
            raise ValidationError(WRONG_PASSKEY) from error
        if not Backend().user_can_authenticate(factor.user):
            raise ValidationError(WRONG_PASSKEY)
        return factor

    @property
    def factor(self) -> Authenticator:
        return cast(Authenticator, self.cleaned_data["credential"])


class PasskeySignInForm(PasskeyForm):
    passwordless = True


class ProofForm(forms.Form):
    """Asks somebody who is signed in for the password, or for a code."""

    password = password_field()
    code = code_field()
    # The second factor that was shown.
    factor: Authenticator | None = None

    def __init__(self, *args: Any, user: User, method: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        for name in {"password", "code"} - {method}:
            del self.fields[name]

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if not typed:
            return typed
        who = _prover(self.user)
        if wait := limits.of_proof(**who):
            raise TooMany(wait)
        if "password" in typed and not self.user.check_password(typed["password"]):
            self.add_error("password", "The password is not right.")
        if "code" in typed:
            self.factor = factors.check(self.user, typed["code"])
            if self.factor is None:
                self.add_error("code", WRONG_CODE)
        if not self.errors:
            limits.proof_was_right(**who)
        return typed
