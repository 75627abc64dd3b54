"""Connections that look whom they reached: a name may lead elsewhere between the check and the call."""

import http.cookiejar
import os
import socket
import ssl
import time
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from config import egress, reading


def _looked_at(found: socket.socket, host: str) -> socket.socket:
    try:
        egress.refuse(host, found.getpeername()[0])
    except egress.Forbidden:
        found.close()
        raise
    return found


class _Checked(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _looked_at(super()._new_conn(), self.host)


class _CheckedPlain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _looked_at(super()._new_conn(), self.host)


class CheckedPool(HTTPSConnectionPool):
    """A pool whose connections refuse metadata and link-local addresses, whatever the name resolved to before.

    :raises egress.Forbidden: from the request
    """

    ConnectionCls = _Checked


class CheckedPlainPool(HTTPConnectionPool):
    """The same without TLS."""

    ConnectionCls = _CheckedPlain


class _Adapter(HTTPAdapter):
    """Connects through the pools above; with `ca` it trusts those authorities, in PEM, and no others."""

    def __init__(self, ca: str = "") -> None:
        self._ca = ca
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._ca:
            kwargs["ssl_context"] = ssl.create_default_context(cadata=self._ca)
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"https": CheckedPool, "http": CheckedPlainPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        super().cert_verify(conn, url, verify, cert)
        if self._ca:
            conn.ca_certs = conn.ca_cert_dir = None


class Session(requests.Session):
    """What `egress.session` returns."""

    def __init__(self, largest: int, ca: str = "") -> None:
        super().__init__()
        self.largest = largest
        # No proxy, .netrc or certificate switch of the environment; a bundle of authorities is the operator's to name.
        self.trust_env = False
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
        self.verify = True if ca else bundle or True
        self.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(ca))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        kwargs |= {"allow_redirects": False, "stream": True, "proxies": {}}
        kwargs["timeout"] = kwargs.get("timeout") or egress.TIMEOUT
        began = time.monotonic()
        # What an address refuses before any name is looked up.
        egress.refuse_name(request.url or "")
        response = super().send(request, **kwargs)
        with response:
            left = egress.WHOLE - (time.monotonic() - began)
            try:
                response._content = reading.whole(response.raw, self.largest, left)
            except urllib3.exceptions.HTTPError as error:
                raise requests.exceptions.ConnectionError(type(error).__name__, request=request) from None
            response._content_consumed = True
        return response
