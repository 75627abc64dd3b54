"""What a worker does for the pages of strangers: they answer as fast for somebody who exists as for nobody."""

import functools
import logging

from celery import shared_task
from django.db import transaction
from kombu.exceptions import OperationalError as BrokerAway

from accounts.audit import origin
from accounts.organizations.models import User
from accounts.sign_in import limits, mails, records

logger = logging.getLogger(__name__)


@shared_task  # type: ignore[untyped-decorator]
def mail_reset(*, email: str, **_: object) -> None:
    mails.reset(email)


@shared_task  # type: ignore[untyped-decorator]
def mail_notice(*, user_id: int, what: str, address: str, agent: str, **_: object) -> None:
    mails.notice(user_id, what, address, agent)


@shared_task  # type: ignore[untyped-decorator]
def write_failed(
    *, email: str, action: str, address: str, user_agent: str, request_id: str, **_: object
) -> None:
    """Write that a password was refused, if somebody has this address."""
    user = User.objects.filter(email=email).first()
    with origin.of_request(address=address, user_agent=user_agent, request_id=request_id):
        records.failed(user=user, action=action, details={"step": "password"})


def note_failed(email: str, action: str) -> None:
    """Have it written that a password was refused: writing takes time, which would tell who exists.

    It is counted for each address, whether or not it is anybody's: an attack cannot flood the broker either.
    """
    if limits.ASKED.take(action, email) or limits.ASKED_BY_ALL.take(action):
        return
    here = origin.current()
    said = {
        "email": email,
        "action": action,
        "address": here.address,
        "user_agent": here.user_agent,
        "request_id": here.request_id,
    }
    try:
        write_failed.delay(**said)
    except BrokerAway:
        write_failed(**said)


def tell(user: User, what: str) -> None:
    """Have a notice sent once the change is there; a change does not fail for a mail."""
    here = origin.current()
    say = {"user_id": user.pk, "what": what, "address": here.address, "agent": here.user_agent}
    transaction.on_commit(functools.partial(_queue, say))


def _queue(say: dict[str, object]) -> None:
    try:
        mail_notice.delay(**say)
    except BrokerAway:
        logger.warning("The broker is away; a notice to user %s is not sent.", say["user_id"])
