"""Events as one plain mail: what happened, where to look, and no value."""

import smtplib

from django.conf import settings
from django.core.mail import EmailMessage

from accounts.outgoing import links
from accounts.outgoing.causes import NotSent
from accounts.outgoing.payload import Event
from accounts.outgoing.senders.base import Accepted, Parcel

# So many are told in words; the page has all.
MOST = 50


def send(parcel: Parcel) -> Accepted:
    """Send one mail to all addresses.

    :raises NotSent: the mail server takes it for none of them, or does not answer
    """
    mail = EmailMessage(
        subject=_subject(parcel),
        body=_body(parcel),
        to=parcel.address.split(","),
        headers={"Message-ID": f"<{parcel.id}@{_host()}>", "Auto-Submitted": "auto-generated"},
    )
    try:
        mail.send()
    except smtplib.SMTPResponseException as error:
        raise NotSent("mail_refused" if error.smtp_code >= 500 else "mail") from error
    except smtplib.SMTPRecipientsRefused as error:
        raise NotSent("mail_refused") from error
    except OSError as error:
        raise NotSent("mail") from error
    return Accepted()


def _host() -> str:
    return settings.BASE_URL.partition("://")[2].partition("/")[0].partition(":")[0]


def _subject(parcel: Parcel) -> str:
    """Return what the mail is about: the one event, or how many there are and the worst of them."""
    first = next((event for event in parcel.events if event["outcome"] == "failed"), parcel.events[0])
    more = len(parcel.events) - 1
    text = f"[{parcel.organization}] {_line(first)}{f', and {more} more' if more else ''}"
    # A header is one line.
    return " ".join(text.split())[:200]


def _line(event: Event) -> str:
    return " ".join(str(event["sentence"]).split())


def _body(parcel: Parcel) -> str:
    shown = parcel.events[:MOST]
    left = len(parcel.events) - len(shown)
    home = f"{settings.BASE_URL}/o/{parcel.slug}"
    parts = [_paragraph(event) for event in shown]
    parts += [f"And {left} more: {home}/audit/"] if left else []
    parts.append(
        f"-- \nKeyhaven, {parcel.organization}. Choose what you are told: {home}/settings/notifications/"
    )
    return "\n\n".join(parts)


def _paragraph(event: Event) -> str:
    at = str(event["at"])[:19].replace("T", " ")
    words = [f"{at} UTC  {_line(event)}"]
    where = event["cluster"]
    if where and where not in event["target"]["name"]:
        words.append(f"  Cluster: {where}")
    # Of the details only what is from our own tables: a cause, a number of days.
    words += [
        f"  {label}: {event['details'][name]}"
        for name, label in links.TOLD.items()
        if event["details"].get(name)
    ]
    page = links.page_of(event)
    return "\n".join([*words, *([f"  {settings.BASE_URL}{page}"] if page else [])])
