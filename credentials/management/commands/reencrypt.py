"""Write every encrypted value anew with the newest key."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import models, transaction

from accounts.encryption import EncryptedTextField
from accounts.sign_in import factors


def encrypted_fields(model: type[models.Model]) -> list[str]:
    """Return the names of a model's encrypted fields."""
    return [field.attname for field in model._meta.concrete_fields if isinstance(field, EncryptedTextField)]


class Command(BaseCommand):
    help = "Write every encrypted value anew with the first of FIELD_ENCRYPTION_KEY; then the others can go."

    def handle(self, *args: Any, **options: Any) -> None:
        for model in apps.get_models():
            names = encrypted_fields(model)
            if names:
                self.stdout.write(f"{model._meta.label}: {self._rewrite(model, names)} rows")
        self.stdout.write(f"Second factors: {factors.reencrypt()} rows")

    def _rewrite(self, model: type[models.Model], names: list[str]) -> int:
        """Save each row in a transaction of its own, under its lock, so that nobody's change is lost."""
        manager = model._default_manager
        keys = list(manager.values_list("pk", flat=True))
        for key in keys:
            with transaction.atomic():
                row = manager.select_for_update().filter(pk=key).first()
                if row is not None:
                    row.save(update_fields=names)
        return len(keys)
