from typing import Any

from django.apps import AppConfig


class CredentialsConfig(AppConfig):
    name = "credentials"

    def ready(self) -> None:
        from django.db.models.signals import post_save

        from accounts.audit import objects
        from accounts.models import Organization
        from accounts.roles import Permission

        kind = objects.Kind("credentials.CloudCredential", Permission.CREDENTIAL_VIEW, ("name",), _page)
        objects.register(kind)
        post_save.connect(_name, sender=Organization, dispatch_uid="credentials.subject")


def _name(instance: Any, created: bool, **_: Any) -> None:
    """An organization gets the name by which clouds know it when it is made: pages that show it change nothing."""
    from credentials import issuer

    if created:
        issuer.subject(instance)


def _page(name: str) -> tuple[str, dict[str, Any]]:
    return "credentials:detail", {"credential": name}
