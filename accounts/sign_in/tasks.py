"""Mails are sent by a worker: a page answers as fast for somebody who exists as for nobody."""

import functools
import logging

from celery import shared_task
from django.db import transaction
from kombu.exceptions import OperationalError as BrokerAway

from accounts.audit import origin
from accounts.organizations.models import User
from accounts.sign_in import mails

logger = logging.getLogger(__name__)


@shared_task  # type: ignore[untyped-decorator]
def mail_reset(*, email: str, **_: object) -> None:
    mails.reset(email)


@shared_task  # type: ignore[untyped-decorator]
def mail_notice(*, user_id: int, what: str, address: str, agent: str, **_: object) -> None:
    mails.notice(user_id, what, address, agent)


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
