"""The forms of links."""

from external_secrets.forms.bulk import BulkForm, RelocateForm
from external_secrets.forms.linking import AliasForm, LinkForm
from external_secrets.forms.listing import LinkedFilter, MoveForm
from external_secrets.forms.places import EVERY, PlaceForm, places, value_of
from external_secrets.forms.previewing import preview_context
from external_secrets.forms.reference import ReferenceForm
from external_secrets.forms.target import DEFAULT_REFRESH, REFRESH, TargetForm

__all__ = [
    "DEFAULT_REFRESH",
    "EVERY",
    "REFRESH",
    "AliasForm",
    "BulkForm",
    "LinkForm",
    "LinkedFilter",
    "MoveForm",
    "PlaceForm",
    "ReferenceForm",
    "RelocateForm",
    "TargetForm",
    "places",
    "preview_context",
    "value_of",
]
