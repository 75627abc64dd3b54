"""Give the application's role of the database its rights again, for example after a restore."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.audit import rights


class Command(BaseCommand):
    help = "As the owner (DATABASE_OWNER_URL), give the role of DATABASE_URL its rights; migrate does it too."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.OWNER_DATABASE is None:
            raise CommandError(
                "DATABASE_OWNER_URL is not set: one role owns the tables and runs the application."
            )
        role = rights.application_role()
        with rights.as_owner():
            rights.grant(role)
        if held := rights.weaknesses():
            raise CommandError(f"{role} {' and '.join(held)}: it could rewrite the audit log.")
        self.stdout.write(f"{role} may append to the audit log, and neither change nor remove what is there.")
