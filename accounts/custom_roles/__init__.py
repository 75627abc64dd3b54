"""Roles that an organization makes: a set of permissions, limited where wanted."""
