"""Writing secrets from the console: create, new version, tags, delete and restore.

A value goes from the form to the secret manager, once, and is kept nowhere here.
"""
