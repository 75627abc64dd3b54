"""The built-in store: secrets that the console keeps itself, encrypted, per organization."""
