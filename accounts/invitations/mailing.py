"""The mail of an invitation, sent once its change is stored."""

import logging

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from accounts.invitations.models import Invitation
from accounts.invitations.services import Made

logger = logging.getLogger(__name__)


def link(made: Made) -> str:
    """Return the address that lets its holder in, once."""
    return f"{settings.BASE_URL}{reverse('invitation_link', kwargs={'token': made.token})}"


def send(made: Made) -> bool:
    """Send the mail and note it; False when it could not be sent, which is logged without the address."""
    invitation = made.invitation
    words = {"invitation": invitation, "link": link(made), "base_url": settings.BASE_URL}
    subject = f"{invitation.invited_by} invites you to {invitation.organization.name} on Keyhaven"
    try:
        send_mail(
            " ".join(subject.split()),
            render_to_string("accounts/mail/invitation.txt", words),
            None,
            [invitation.email],
        )
    except OSError as error:
        logger.warning("A mail could not be sent (%s). Check EMAIL_URL.", type(error).__name__)
        return False
    invitation.sent_at = timezone.now()
    sent = Invitation.objects.filter(pk=invitation.pk, digest=invitation.digest)
    sent.update(sent_at=invitation.sent_at)
    return True
