from typing import Any

from django.apps import AppConfig


class CredentialsConfig(AppConfig):
    name = "credentials"

    def ready(self) -> None:
        from accounts.audit import objects
        from accounts.roles import Permission

        kind = objects.Kind("credentials.CloudCredential", Permission.CREDENTIAL_VIEW, ("name",), _page)
        objects.register(kind)


def _page(name: str) -> tuple[str, dict[str, Any]]:
    return "credentials:detail", {"credential": name}
