"""Django's PostgreSQL, as the console uses it."""
