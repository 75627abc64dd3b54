"""The forms of links."""

from external_secrets.forms.linking import DEFAULT_REFRESH, REFRESH, LinkForm, places
from external_secrets.forms.listing import LinkedFilter, MoveForm

__all__ = ["DEFAULT_REFRESH", "REFRESH", "LinkForm", "LinkedFilter", "MoveForm", "places"]
