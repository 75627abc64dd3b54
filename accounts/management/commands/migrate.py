"""Django's `migrate`, as the owner of the tables where DATABASE_OWNER_URL names one; then the application's rights."""

from typing import Any

from django.conf import settings
from django.core.management.commands import migrate

from accounts.audit import rights


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        role = rights.application_role() if settings.OWNER_DATABASE else ""
        with rights.as_owner() as two_roles:
            super().handle(*args, **options)
            if two_roles and rights.is_complete():
                rights.grant(role)
