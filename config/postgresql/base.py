"""The connection to the database, kept from one request to the next."""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Looks at the socket before a connection is used again, where Django asks a query with each request.

    A server that ends a connection, or ends itself, writes to it or closes it: what was silent still stands.
    """

    def is_usable(self) -> bool:
        if self.connection is None:
            return False
        if self.errors_occurred or self.connection.closed or self._was_written_to():
            usable: bool = super().is_usable()
            return usable
        return True

    def _was_written_to(self) -> bool:
        waiting = select.poll()
        waiting.register(self.connection.fileno(), select.POLLIN)
        return bool(waiting.poll(0))
