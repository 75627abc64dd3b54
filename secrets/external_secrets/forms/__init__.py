"""The forms of links."""

from external_secrets.forms.linking import DEFAULT_REFRESH, REFRESH, LinkForm, places
from external_secrets.forms.listing import LinkedFilter, MoveForm
from external_secrets.forms.previewing import preview_context
from external_secrets.forms.reference import ReferenceForm

__all__ = [
    "DEFAULT_REFRESH",
    "REFRESH",
    "LinkForm",
    "LinkedFilter",
    "MoveForm",
    "ReferenceForm",
    "places",
    "preview_context",
]
