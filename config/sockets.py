"""Connections that look whom they reached: a name may lead elsewhere between the check and the call."""

import http.cookiejar
import os
import socket
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
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"https": CheckedPool, "http": CheckedPlainPool}


class Session(requests.Session):
    """What `egress.session` returns."""

    def __init__(self, largest: int) -> None:
        super().__init__()
        self.largest = largest
        # No proxy, .netrc or certificate switch of the environment; a bundle of authorities is the operator's to name.
        self.trust_env = False
        self.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True
        self.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter())

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
