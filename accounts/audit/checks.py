"""What `manage.py check --deploy` says of the audit log."""

from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError, connection

from accounts.audit import rights


@register(Tags.security, deploy=True)
def the_application_only_appends(**_: Any) -> list[CheckMessage]:
    """Warn when the application's role of the database may change the log; silent while there is no database."""
    try:
        held = rights.weaknesses()
    except DatabaseError:
        return []
    finally:
        if not connection.in_atomic_block:
            connection.close()
    if not held:
        return []
    return [
        checks.Warning(
            f"The application's role of the database {' and '.join(held)}: it could rewrite the audit log.",
            hint="Give DATABASE_URL a role of its own and set DATABASE_OWNER_URL: docs/audit.md, “Two roles”.",
            id="keyhaven.W001",
        )
    ]
