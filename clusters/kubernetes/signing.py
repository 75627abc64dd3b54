"""Signing in to a cluster by a cloud credential: tokens in memory, made anew before they end."""

import datetime
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from django.db import connection
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from clusters.kubernetes import errors
from credentials import clouds, signing
from credentials.clouds.base import Finder, Obstacle, Token
from credentials.clouds.errors import NotPossibleHere, NotReachable, ProviderError, Throttled
from credentials.models import CloudCredential

# Clocks differ, and a request takes its time.
EARLY = datetime.timedelta(minutes=1)


class Supplier:
    """The tokens of one identity for one cluster; any thread may ask.

    `fetch` makes one, and `refused` says what it means when the API server does not know who holds a new one.
    """

    def __init__(self, fetch: Callable[[], Token], refused: Callable[[], Obstacle]) -> None:
        self._fetch, self._refused = fetch, refused
        self._lock = threading.Lock()
        self._kept: Token | None = None

    @sensitive_variables()
    def token(self) -> str:
        """Return a token that is good for a minute at least, as far as its cloud says.

        :raises ClusterError: the cloud gives none
        """
        with self._lock:
            if self._kept is None or self._kept.expires_at - EARLY <= timezone.now():
                self._kept = self._new()
            return self._kept.text

    @sensitive_variables()
    def instead_of(self, refused: str) -> str:
        """Return another token than one that the API server refused: it may do so before its end.

        :raises ClusterError: the cloud gives none
        """
        with self._lock:
            # Another thread was refused the same one, and has renewed it.
            if self._kept is None or self._kept.text == refused:
                self._kept = self._new()
            return self._kept.text

    def refusal(self) -> errors.Unauthorized:
        """Return the error for a new token that is refused too."""
        why = self._refused()
        return errors.Unauthorized(why.reason, why.remedy)

    def _new(self) -> Token:
        try:
            return self._fetch()
        except ProviderError as error:
            raise _translated(error) from None


def _translated(error: ProviderError) -> errors.ClusterError:
    silent = isinstance(error, NotReachable | Throttled)
    return (errors.Unreachable if silent else errors.Unauthorized)(error.reason, error.remedy)


def supplier(credential: CloudCredential, locator: dict[str, str]) -> Supplier:
    """Return the tokens by which a credential signs in to a cluster that its cloud finds by `locator`."""

    @sensitive_variables()
    def fetch() -> Token:
        with _connection_of_this_thread():
            # A long deploy goes on when the credential was given another key meanwhile.
            now = CloudCredential.objects.select_related("organization").filter(pk=credential.pk).first()
            found = now or credential
            return _finder(found).token(signing.session(found), signing.facts_of(found), locator)

    return Supplier(fetch, lambda: _finder(credential).refused(credential.facts, locator))


def of(cluster: Any) -> Supplier | None:
    """Return the tokens of a connected cluster, or None for one that signs in by its kubeconfig alone."""
    if cluster.signs_in != cluster.SignsIn.CREDENTIAL:
        return None
    return supplier(cluster.credential, cluster.locator)


@sensitive_variables()
def kubeconfig_of(cluster: Any) -> str:
    """Return a kubeconfig that signs in to a cluster, to be used at once: it may hold a token that ends soon.

    :raises ClusterError: the cloud gives no token
    """
    tokens = of(cluster)
    text: str = cluster.kubeconfig
    if tokens is None:
        return text
    document = yaml.safe_load(text)
    document["users"][0]["user"] = {"token": tokens.token()}
    return str(yaml.safe_dump(document, sort_keys=False))


def _finder(credential: CloudCredential) -> Finder:
    cloud = clouds.CLOUDS.get(credential.cloud)
    if cloud is None or cloud.finder is None:
        raise NotPossibleHere(
            "This version of Keyhaven does not sign in to clusters by this kind of credential.",
            "Update Keyhaven, or give the cluster a kubeconfig.",
        )
    return cloud.finder


@contextmanager
def _connection_of_this_thread() -> Iterator[None]:
    """Close what was opened for this: a thread that only talks to a cluster has no connection to the database."""
    was_open = connection.connection is not None
    try:
        yield
    finally:
        if not was_open:
            connection.close()
