"""Cloud credentials, and encryption at rest."""
