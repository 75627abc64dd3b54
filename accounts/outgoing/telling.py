"""Telling the owners that a destination is paused: by mail and at once, whatever else they chose."""

import logging

from django.conf import settings
from django.core.mail import send_mail
from django.urls import reverse

from accounts.organizations.models import Membership
from accounts.outgoing.causes import CAUSES
from accounts.outgoing.models import Destination
from accounts.roles import Role

logger = logging.getLogger(__name__)


def paused(destination: Destination, cause: str) -> None:
    """Send the owners a mail; without a mail server the page and the audit log have to do."""
    organization = destination.organization
    owners = Membership.objects.filter(
        organization=organization, roles__contains=[Role.OWNER], user__is_active=True, user__is_machine=False
    )
    page = reverse("accounts:notification", kwargs={"org": organization.slug, "destination": destination.pk})
    text = (
        f"Keyhaven paused the destination {destination.name} of {organization.name}.\n\n"
        f"{CAUSES[cause].reason} {CAUSES[cause].remedy}\n\n"
        f"Nothing is lost: what happens meanwhile is sent once it is resumed.\n{settings.BASE_URL}{page}\n"
    )
    subject = " ".join(f"[{organization.name}] {destination.name} is paused".split())
    addresses = list(owners.values_list("user__email", flat=True))
    try:
        send_mail(subject, text, None, addresses)
    except OSError as error:
        logger.warning("The owners were not told of a paused destination: %s", type(error).__name__)
