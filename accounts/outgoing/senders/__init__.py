"""One module per kind of destination; each has `send(Parcel)`, which returns once the events were accepted.

A sender touches no database, so that a hung receiver holds nothing but its own thread.
"""

from accounts.outgoing.senders import email, file, otlp, syslog, webhook
from accounts.outgoing.senders.base import Accepted, Parcel, Send

SENDERS: dict[str, Send] = {
    "webhook": webhook.send,
    "email": email.send,
    "syslog": syslog.send,
    "otlp": otlp.send,
    "file": file.send,
}

__all__ = ["SENDERS", "Accepted", "Parcel", "Send"]
