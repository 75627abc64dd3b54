"""Signing in with a stored credential: the one way to its secret, which notes that it was used."""

import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.models import Organization
from credentials import clouds, issuer
from credentials.clouds.base import Facts, Session
from credentials.models import CloudCredential

# Uses are told to the minute, so that a busy credential is not a busy row.
NOTED_EVERY = datetime.timedelta(minutes=1)


@sensitive_variables()
def session(credential: CloudCredential) -> Session:
    """Return what signs requests as this credential, in the shape of its cloud.

    :raises ProviderError: the cloud refuses it, or does not answer
    """
    _, method = clouds.known(credential.cloud, credential.method)
    found = method.sign_in(credential.secret, facts_of(credential))
    note_use(credential)
    return found


def facts_of(credential: CloudCredential) -> Facts:
    """Return the facts of a credential with the words by which clouds know its organization."""
    known: Facts = credential.facts
    return known | spoken(credential.organization)


def spoken(organization: Organization) -> Facts:
    """Return the words by which clouds know an organization."""
    return {"subject": issuer.subject(organization), "issuer": issuer.address()}


def note_use(credential: CloudCredential) -> None:
    """Note that the console signed in with it just now."""
    now = timezone.now()
    long_ago = Q(used_at=None) | Q(used_at__lt=now - NOTED_EVERY)
    # Whoever holds the row notes it too, and may be waiting for what this signs in to.
    free = CloudCredential.objects.select_for_update(skip_locked=True, no_key=True)
    with transaction.atomic():
        CloudCredential.objects.filter(pk__in=free.filter(long_ago, pk=credential.pk).values("pk")).update(
            used_at=now
        )
