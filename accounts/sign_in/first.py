"""The first start: a link that works once, for an hour, and only while there is nobody, makes the first owner."""

import hashlib
import secrets

from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables

from accounts.organizations import services
from accounts.organizations.models import User

SECONDS = 60 * 60
KEY = "first-start"
# Any number that nobody else locks.
LOCK = 7_406_321


class NotFirst(Exception):
    """Somebody is there already, or the link has ended."""


def digest(token: str) -> str:
    """Return what is kept of a link, here and in the session of the one who opened it."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def is_open() -> bool:
    """Tell whether there is nobody yet."""
    return not User.objects.exists()


def make_link() -> str:
    """Return a new link; the one before ends.

    :raises NotFirst: somebody is there
    """
    if not is_open():
        raise NotFirst
    token = secrets.token_urlsafe(32)
    cache.set(KEY, digest(token), timeout=SECONDS)
    return settings.BASE_URL + reverse("first_start", kwargs={"token": token})


def fits(kept: str) -> bool:
    """Tell whether the link with this digest still works."""
    return is_open() and constant_time_compare(cache.get(KEY) or "-", kept)


@sensitive_variables()
@transaction.atomic
def take(*, kept: str, email: str, name: str, password: str, organization: str, slug: str) -> User:
    """Make the first owner and the organization, and end the link.

    :raises NotFirst: the link has ended, or somebody was faster
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    if not fits(kept):
        raise NotFirst
    owner = User.objects.create_user(email, password, name=name)
    services.create(name=organization, slug=slug, by=owner)
    cache.delete(KEY)
    return owner
