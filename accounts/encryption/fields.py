"""Encrypted fields, bound to their row.

django-encrypted-model-fields encrypts; this module closes its traps. The plaintext that is encrypted begins with the
model, field and primary key, which are checked on read: a ciphertext copied from another row, a plaintext in the
column and a value under a lost key raise `Unreadable` instead of being read. Look-ups, `update()` and
`bulk_update()` raise instead of silently doing the wrong thing.
"""

import json
from typing import TYPE_CHECKING, Any

from cryptography.fernet import InvalidToken
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.query_utils import DeferredAttribute
from encrypted_model_fields import fields as encrypted

from accounts.encryption import keys

if TYPE_CHECKING:
    # The package has no types; a value is text or, in the JSON field, a dict.
    _Base = models.TextField[Any, Any]
else:
    _Base = encrypted.EncryptedTextField

_SEPARATOR = "\x1f"


class Unreadable(ValueError):
    """A stored value that is not this row's, or whose key is gone. Holds no part of the value."""


class _Stored(str):
    """The ciphertext, as it came from the database."""

    __slots__ = ()


class _Bound(str):
    """A plaintext with its row's context in front: the only thing that is ever encrypted."""

    __slots__ = ()


class _Attribute(DeferredAttribute):
    """Opens the value when it is first read from the instance."""

    field: "EncryptedTextField"

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if instance is not None and isinstance(value, _Stored):
            value = self.field.open(instance, value)
            instance.__dict__[self.field.attname] = value
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(_Base):
    """Text, encrypted at rest and bound to its row; the model's primary key must be known before it is saved."""

    descriptor_class = _Attribute
    bound_to_row = True

    def context(self, instance: models.Model) -> str:
        """Return what ties a value to its place, for example `clusters.Cluster.kubeconfig:<uuid>`."""
        return f"{instance._meta.label}.{self.attname}:{instance.pk}"

    def open(self, instance: models.Model, stored: str) -> Any:
        """Return the value.

        :raises Unreadable: the value is another row's, is not encrypted, or none of the keys fits
        """
        try:
            context, separator, text = encrypted.decrypt_str(stored).partition(_SEPARATOR)
        except InvalidToken as error:
            raise Unreadable(f"{self.context(instance)} cannot be decrypted with the keys given.") from error
        if not separator or context != self.context(instance):
            raise Unreadable(f"{self.context(instance)} holds the value of another row.")
        return self.load(text)

    def load(self, text: str) -> Any:
        return text

    def dump(self, value: Any) -> str:
        return str(value)

    def to_python(self, value: Any) -> Any:
        return value

    def from_db_value(self, value: str | None, *args: Any) -> str | None:
        return None if value is None else _Stored(value)

    def pre_save(self, instance: models.Model, add: bool) -> Any:
        value = getattr(instance, self.attname)
        if value is None:
            return None
        if instance.pk is None:
            raise TypeError(f"{instance._meta.label} needs its primary key before {self.attname} is saved.")
        return _Bound(f"{self.context(instance)}{_SEPARATOR}{self.dump(value)}")

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, _Bound):
            raise TypeError(f"{self.attname} is bound to its row; use save(), not update() or bulk_update().")
        keys.may_write()
        return encrypted.encrypt_str(str(value)).decode()

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise FieldError(f"{self.attname} is encrypted and cannot be searched.")
        return super().get_lookup(lookup_name)


class EncryptedJSONField(EncryptedTextField):
    """A dict of strings, encrypted at rest and bound to its row."""

    def load(self, text: str) -> Any:
        return json.loads(text)

    def dump(self, value: Any) -> str:
        return json.dumps(value, sort_keys=True)
