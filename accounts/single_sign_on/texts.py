"""Texts of an identity provider, as far as they may be kept."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email


def address(value: Any) -> str:
    """Return one e-mail address in lower case, or nothing: with a comma it would be two for whoever sends mails."""
    text = line(value, 254).lower()
    try:
        validate_email(text)
    except ValidationError:
        return ""
    return text


def line(value: Any, longest: int) -> str:
    """Return a text that fits a column, or nothing."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text if len(text) <= longest and text.isprintable() else ""
