"""The organization's cloud credentials: the list, and one credential's facts, users, change and end."""

from credentials.views import change, detail, listing, making, removal

__all__ = ["change", "detail", "listing", "making", "removal"]
