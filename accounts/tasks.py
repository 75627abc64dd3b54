"""Where Celery looks for the app's tasks; each is beside its resource."""

from accounts.outgoing.tasks import deliver
from accounts.sign_in.tasks import mail_notice, mail_reset, write_failed

__all__ = ["deliver", "mail_notice", "mail_reset", "write_failed"]
