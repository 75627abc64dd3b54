"""Connections that look whom they reached: a name may lead elsewhere between the check and the call."""

import socket

from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from clusters.kubernetes import addresses


class _Checked(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        found = super()._new_conn()
        try:
            addresses.refuse(self.host, found.getpeername()[0])
        except addresses.Forbidden:
            found.close()
            raise
        return found


class CheckedPool(HTTPSConnectionPool):
    """A pool whose connections refuse metadata and link-local addresses, whatever the name resolved to before.

    :raises addresses.Forbidden: from the request
    """

    ConnectionCls = _Checked
