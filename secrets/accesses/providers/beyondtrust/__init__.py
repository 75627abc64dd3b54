"""BeyondTrust Password Safe."""
