"""Encryption at rest: fields bound to their row, the keys that are needed, and writing everything anew with another."""

from accounts.encryption.fields import EncryptedJSONField, EncryptedTextField, Unreadable

__all__ = ["EncryptedJSONField", "EncryptedTextField", "Unreadable"]
