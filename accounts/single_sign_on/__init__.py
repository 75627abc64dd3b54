"""Single sign-on: an organization's own identity provider, and what a session that it made is good for.

The owner of one organization chooses the issuer, so what it says counts in that organization alone: docs/single-sign-on.md.
"""
