"""Second factors: what allauth keeps of them is encrypted with FIELD_ENCRYPTION_KEY, and names are ours."""

from typing import Any

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.http import HttpRequest
from encrypted_model_fields import fields as encrypted

from accounts.encryption import keys
from accounts.organizations.models import User

Type = Authenticator.Type
SECRETS = ("secret", "seed")
# A code of an app holds for its own 30 seconds and the 30 before and after; each is taken once.
REPLAYED = 120


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        keys.may_write()
        sealed: bytes = encrypted.encrypt_str(text)
        return sealed.decode()

    def decrypt(self, encrypted_text: str) -> str:
        opened: str = encrypted.decrypt_str(encrypted_text)
        return opened

    def get_totp_issuer(self) -> str:
        return "Keyhaven"

    def _get_site_name(self) -> str:
        return "Keyhaven"

    def send_notification_mail(self, *_: Any, **__: Any) -> None:
        """Send nothing by itself: `notices` does."""


def of(user: User) -> list[Authenticator]:
    return list(Authenticator.objects.filter(user=user).order_by("created_at"))


def newest(user: User) -> Authenticator:
    """Return the app or passkey that was added last."""
    return Authenticator.objects.filter(user=user, type__in=(Type.TOTP, Type.WEBAUTHN)).latest("created_at")


def has_second(user: User) -> bool:
    """Tell whether a person has a second factor: an app's codes, or a passkey."""
    return bool(Authenticator.objects.filter(user=user, type__in=(Type.TOTP, Type.WEBAUTHN)).exists())


def first_use(user: User, code: str) -> bool:
    """Tell whether a code is used for the first time: one that was seen over a shoulder is worth nothing.

    It is the same code however it is typed: what compares codes leaves out spaces, dashes and the like.
    """
    return bool(cache.add(f"code-used:{user.pk}:{normalize_user_code(code)}", 1, timeout=REPLAYED))


def check(user: User, code: str) -> Authenticator | None:
    """Return the factor whose code this is, and use the code up, or None."""
    for factor in Authenticator.objects.filter(user=user, type__in=(Type.TOTP, Type.RECOVERY_CODES)):
        if factor.wrap().validate_code(code):
            if factor.type == Type.TOTP and not first_use(user, code):
                return None
            factor.user = user
            return factor
    return None


def codes_left(user: User) -> int:
    """Return how many recovery codes a person has that were not used."""
    factor = Authenticator.objects.filter(user=user, type=Type.RECOVERY_CODES).first()
    return len(factor.wrap().get_unused_codes()) if factor else 0


def shown(request: HttpRequest, factor: Authenticator) -> None:
    """Note in the session that a second factor was shown, as signing in with it would have (`rules`)."""
    post_authentication(request, factor, reauthenticated=True)
