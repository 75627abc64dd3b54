"""Signing in, as far as django-allauth lets a project decide."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """People are brought in by an owner; nobody signs up alone."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
