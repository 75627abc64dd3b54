"""What a person is told by mail: a link that resets the password, and that something about signing in was changed."""

import logging

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.organizations.models import User

logger = logging.getLogger(__name__)

NOTICES = {
    "password.changed": "Your password was changed",
    "second_factor.added": "An app for codes was added to your account",
    "second_factor.removed": "The app for codes was removed from your account",
    "passkey.added": "A passkey was added to your account",
    "passkey.removed": "A passkey was removed from your account",
    "recovery_codes.made": "New recovery codes were made for your account",
}


def _send(subject: str, template: str, to: str, context: dict[str, str]) -> None:
    body = render_to_string(template, context | {"base_url": settings.BASE_URL})
    try:
        send_mail(f"Keyhaven: {subject}", body, None, [to])
    except OSError as error:
        logger.warning("A mail could not be sent (%s). Check EMAIL_URL.", type(error).__name__)


def reset(email: str) -> None:
    """Send a link that resets the password, if somebody who signs in with a password has this address."""
    user = User.objects.filter(email=email, is_active=True, is_machine=False).first()
    if user is None or not user.has_usable_password():
        return
    arguments = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
    link = settings.BASE_URL + reverse("account_reset_password_from_key", kwargs=arguments)
    _send("reset your password", "account/mail/reset.txt", user.email, {"link": link})


def notice(user_id: int, what: str, address: str, agent: str) -> None:
    """Tell a person of a change that somebody made, hopefully the person."""
    user = User.objects.get(pk=user_id)
    context = {"what": NOTICES[what], "address": address or "unknown", "agent": agent or "unknown"}
    _send(NOTICES[what], "account/mail/notice.txt", user.email, context)
