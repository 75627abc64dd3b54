"""Signing in, as far as django-allauth lets a project decide."""

from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseBase
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_variables

from accounts.organizations.models import User
from accounts.sign_in import devices, limits, records, sessions, tasks

METHODS = {"socialaccount": "single sign-on", "mfa": "second factor"}


class TooMany(ValidationError):
    """Too many tries; says the same whether or not the account exists."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        wait = f"{seconds} seconds" if seconds < 120 else f"{-(-seconds // 60)} minutes"
        super().__init__(
            f"Too many tries. Wait {wait}, then try again; a browser in which you signed in before is not held up "
            "by others.",
            code="too_many",
        )


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """People are brought in by an owner; nobody signs up alone."""

    error_messages: ClassVar[dict[str, str]] = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "The e-mail address or the password is not right.",
        "too_many_login_attempts": "Too many tries. Wait some minutes, then try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_reauthentication_required(self, **_: Any) -> bool:
        """Our own pages ask (`sudo`); allauth would keep the form that was sent in the session."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return sessions.address(request)

    def is_safe_url(self, url: str | None) -> bool:
        """Lead back to pages of this very host, and nowhere else."""
        if self.request is None:
            return False
        return url_has_allowed_host_and_scheme(
            url, allowed_hosts={self.request.get_host()}, require_https=self.request.is_secure()
        )

    @sensitive_variables()
    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Return whose e-mail address and password these are, or None.

        :raises TooMany: before anything is hashed
        """
        email = str(credentials.get("email", "")).strip().lower()
        account = User.objects.filter(email=email, is_machine=False).first()
        device = devices.known(request, account)
        who = {"address": sessions.address(request), "account": email, "device": device}
        if wait := limits.of_password(**who):
            tasks.note_failed(email, "sign_in.limited")
            raise TooMany(wait)
        user = authenticate(request, email=email, password=credentials.get("password"))
        if user is None:
            tasks.note_failed(email, "sign_in.failed")
        else:
            limits.was_right(**who)
        return user

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponseBase:
        """Write down who signed in and how, and know the browser from now on."""
        records.everywhere(
            user=user, action="sign_in.succeeded", by=user, details={"by": _ways(request, user)}
        )
        response: HttpResponseBase = super().post_login(request, user, **kwargs)
        devices.remember(request, response, user)
        return response

    def add_message(self, *_: Any, **__: Any) -> None:
        """Say nothing by itself: our pages say what they did."""

    def send_notification_mail(self, *_: Any, **__: Any) -> None:
        """Send nothing by itself: `notices` does."""


def _ways(request: HttpRequest, user: User) -> list[str]:
    """Return the words for what was shown to sign in: password, passkey, code, recovery code, single sign-on."""
    factors = {"webauthn": "passkey", "totp": "code", "recovery_codes": "recovery code"}
    return [
        factors.get(record.get("type", ""), METHODS.get(record["method"], record["method"]))
        for record in get_authentication_records(request, user)
    ]
