"""People: organizations, memberships, roles, the door of every page, and the audit log."""
