"""What Django and allauth tell of, seen to: sessions begin, recovery codes are used up, a password was reset."""

from typing import Any

from allauth.account.signals import password_reset
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.organizations.models import User
from accounts.sign_in import factors, records, sessions, tasks


@receiver(user_logged_in)
def signed_in(request: HttpRequest, **_: Any) -> None:
    sessions.begin(request)


@receiver(mfa.authenticator_used)
def factor_used(user: User, authenticator: Authenticator, **_: Any) -> None:
    if authenticator.type == factors.Type.RECOVERY_CODES:
        left = factors.codes_left(user)
        records.everywhere(user=user, action="recovery_codes.used", by=user, details={"left": left})


@receiver(password_reset)
def password_was_reset(user: User, **_: Any) -> None:
    """In the transaction of the reset, see `views.ResetFromKeyView`."""
    records.everywhere(user=user, action="password.reset", by=user, details={"by": "a link by mail"})
    sessions.end_others(user=user, kept=None, by=user)
    tasks.tell(user, "password.changed")
