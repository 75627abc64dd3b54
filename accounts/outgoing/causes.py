"""Why something could not be sent: a fixed list, so that nothing a receiver says is kept or shown."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """What went wrong and what to do about it."""

    reason: str
    remedy: str


CAUSES = {
    "name": Cause("Its name cannot be resolved.", "Check the address, and the DNS of the console's machine."),
    "unreachable": Cause("It does not accept connections.", "Check the address and port, and firewalls."),
    "timeout": Cause("It did not answer in time.", "It has 10 seconds to connect and 30 for all of it."),
    "broken": Cause("It closed the connection early.", "Look at its log; the events are sent again."),
    "tls": Cause("Its certificate is not trusted.", "Name its authority in SSL_CERT_FILE, or renew it."),
    "forbidden": Cause("Its address may not be called.", "Link-local and metadata addresses never are."),
    "redirect": Cause("It answered with a redirect.", "Redirects are not followed; enter the final address."),
    "unauthorized": Cause("It refuses the console.", "Check the secret or the token on both sides."),
    "gone": Cause("It says that it is gone.", "Enter another address, or delete this destination."),
    "too_many": Cause("It asks for fewer requests.", "Nothing to do: it is tried again when it asks to."),
    "refused": Cause("It refuses the events.", "Look at its log; the status says more."),
    "ill": Cause("It is not well.", "Look at its log; it is tried again."),
    "partly": Cause("It took only a part of the events.", "Look at the collector's log; these are not sent again."),
    "answer": Cause("Its answer is too large.", "An answer has at most 64 KB."),
    "no_files": Cause("Files are not allowed here.", "The operator of the console sets AUDIT_FILES_DIR."),
    "file": Cause("The file cannot be written.", "Check the folder's owner and rights."),
    "full": Cause("The disk is full.", "Make room; the events are written then."),
    "mail": Cause("The mail server does not answer.", "Check EMAIL_URL on the console."),
    "mail_refused": Cause("The mail server refuses the mail.", "Check the addresses, and EMAIL_FROM."),
    "key": Cause("Its address cannot be read.", "Give the console the key back that it had, or enter it anew."),
    "mistake": Cause("Keyhaven made a mistake here.", "The worker's log says where."),
}  # fmt: skip


class NotSent(Exception):
    """Something could not be sent. Holds a cause of the table, an HTTP status and when to come back, in seconds."""

    def __init__(self, cause: str, *, status: int | None = None, after: float | None = None) -> None:
        super().__init__(CAUSES[cause].reason)
        self.cause, self.status, self.after = cause, status, after
