"""The forms of links."""

from external_secrets.forms.linking import AliasForm, LinkForm
from external_secrets.forms.listing import LinkedFilter, MoveForm
from external_secrets.forms.places import EVERY, places, value_of
from external_secrets.forms.target import DEFAULT_REFRESH, REFRESH, TargetForm

__all__ = [
    "DEFAULT_REFRESH",
    "EVERY",
    "REFRESH",
    "AliasForm",
    "LinkForm",
    "LinkedFilter",
    "MoveForm",
    "TargetForm",
    "places",
    "value_of",
]
