"""1Password: a Connect server, or a service account."""
