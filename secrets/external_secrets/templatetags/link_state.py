"""Filters about the state of a link."""

from django import template

from external_secrets import causes, inside, syncing
from external_secrets.models import ExternalSecret

register = template.Library()


@register.filter
def last_words(link: ExternalSecret) -> str:
    """Return what the operator says of a failed link, to stand beside our own words."""
    return causes.last_words(link)


@register.filter
def is_outside(link: ExternalSecret) -> bool:
    """Tell whether a link takes what its access does not see any more."""
    return inside.is_outside(link)


@register.filter
def is_asked(link: ExternalSecret) -> bool:
    """Tell whether an answer of the operator is being waited for."""
    return syncing.is_asked(link)
