"""What people may call things."""

from django.core.validators import RegexValidator

name_rule = RegexValidator(
    r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?\Z",
    "Use at most 40 lower-case letters, digits and hyphens; start and end with a letter or digit.",
)
