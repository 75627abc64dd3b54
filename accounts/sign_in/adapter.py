"""Signing in, as far as django-allauth lets a project decide."""

import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

logger = logging.getLogger(__name__)


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """People are brought in by an owner; nobody signs up alone."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail, or log that it could not be sent: whether an address is known must not show in an error."""
        try:
            super().send_mail(template_prefix, email, context)
        except OSError as error:
            logger.warning("A mail could not be sent (%s). Check EMAIL_URL.", type(error).__name__)
