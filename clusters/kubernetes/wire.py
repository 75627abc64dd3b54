"""The connection to one API server: TLS, identity, time limits, and asking again what can pass."""

import base64
import json
import re
import tempfile
import threading
import weakref
from typing import Any
from urllib.parse import urlencode

import tenacity
import yaml
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from clusters.kubernetes import errors
from clusters.kubernetes.signing import Supplier
from config import egress, reading

# Of Secrets the API server is asked for nothing but metadata: no value ever reaches the console.
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# More than the largest list of objects has; with what the first byte may take, how many seconds are waited for the last.
LARGEST, WHOLE = 64 * 1024 * 1024, 30.0
_SECRETS = re.compile(r"^/api/v1/(?:namespaces/[^/]+/)?secrets(?P<name>/[^/]+)?$")


class _Wait(tenacity.wait.wait_base):
    """As long as the API server says, or else longer each time, with jitter."""

    _grows = tenacity.wait_random_exponential(multiplier=0.2, max=5)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        said = getattr(error, "retry_after", 0.0)
        return min(said, 10.0) + self._grows(retry_state)


def _file(encoded: str) -> Any:
    """Return a file of our own with a client certificate, as TLS libraries want it."""
    file = tempfile.NamedTemporaryFile(prefix="keyhaven-")  # noqa: SIM115
    file.write(base64.b64decode(encoded))
    file.flush()
    return file


def _read(response: Any) -> bytes:
    """Return an answer's body; an API server may be anybody's.

    :raises Unreachable: it does not come to an end
    """
    try:
        return reading.whole(response, LARGEST, WHOLE + settings.CLUSTER_TIMEOUT)
    except egress.TooLarge:
        raise errors.Untrusted(
            "The API server's answer is too large, or takes too long.", "Check that it is one."
        ) from None


def _accepted(method: str, path: str) -> str:
    """Return what the answer should be; a list in the form of an object is refused, and the other way round."""
    found = _SECRETS.match(path)
    if found is None:
        return "application/json"
    return METADATA_LIST if method == "GET" and not found["name"] else METADATA


@sensitive_variables()
def _without(token: str, body: bytes) -> str:
    """Return an answer's text without the token that was sent, which a server may give back."""
    text = body.decode(errors="replace")
    return text.replace(token, "••••") if token else text


class Wire:
    """A connection. With `patience`, in seconds, what can pass is asked again for that long, at most `budget` times.

    With `tokens` it signs in by these, and the kubeconfig says no more than where the cluster is.
    """

    @sensitive_variables()
    def __init__(
        self, kubeconfig: str, *, tokens: Supplier | None = None, patience: float = 0, budget: int = 0
    ) -> None:
        self.patience, self.budget, self.asked_again = patience, budget, 0
        self.waits_for_webhooks = True
        self._counting = threading.Lock()
        try:
            document = yaml.safe_load(kubeconfig)
            cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
            self.host = str(cluster["server"]).rstrip("/")
            authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        except (KeyError, TypeError, IndexError, ValueError, yaml.YAMLError):
            raise errors.Unauthorized("The stored kubeconfig cannot be used.") from None
        try:
            # Checked at each connection: a name may point elsewhere by now.
            egress.check(self.host)
        except egress.Forbidden as error:
            raise errors.Untrusted(str(error)) from None
        self._token, self._tokens = str(user.get("token", "")), tokens
        if not (tokens or self._token or user.get("client-certificate-data")):
            raise errors.Unauthorized("The stored kubeconfig names nobody who signs in.")
        self._pool = self._connections(authority, cluster.get("tls-server-name"), user)

    def _connections(self, authority: str, server_name: str | None, user: dict[str, str]) -> Any:
        from kubernetes.client import ApiClient, Configuration

        from config import sockets

        configuration = Configuration(host=self.host)
        configuration.ca_cert_data = authority
        configuration.tls_server_name = server_name
        configuration.proxy = None
        configuration.retries = False
        files = []
        if not self._token and self._tokens is None:
            files = [_file(user.get(f"client-{name}-data", "")) for name in ("certificate", "key")]
            configuration.cert_file, configuration.key_file = (file.name for file in files)
        pool = ApiClient(configuration).rest_client.pool_manager
        pool.pool_classes_by_scheme = {"https": sockets.CheckedPool}
        for file in files:
            weakref.finalize(pool, file.close)
        return pool

    def request(
        self, method: str, path: str, body: Any = None, content: str = "application/json", **query: Any
    ) -> dict[str, Any]:
        """Send a request and return the answer's object. Every request that we send may be sent twice.

        :raises ClusterError: the last failure, when patience or budget are used up
        """
        if not self.patience:
            return self._once(method, path, body, content, query)
        asking = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._may_ask_again),
            stop=tenacity.stop_after_delay(self.patience),
            wait=_Wait(),
            reraise=True,
        )
        return asking(self._once, method, path, body, content, query)

    def _may_ask_again(self, error: BaseException) -> bool:
        if not (isinstance(error, errors.ClusterError) and error.retryable):
            return False
        if isinstance(error, errors.WebhookFailed) and not self.waits_for_webhooks:
            return False
        with self._counting:
            if self.asked_again >= self.budget:
                return False
            self.asked_again += 1
        return True

    @sensitive_variables()
    def _once(self, method: str, path: str, body: Any, content: str, query: dict[str, Any]) -> dict[str, Any]:
        if self._tokens is None:
            return self._send(self._token, method, path, body, content, query)
        token = self._tokens.token()
        try:
            return self._send(token, method, path, body, content, query)
        except errors.Unauthorized:
            renewed = self._tokens.instead_of(token)
        try:
            return self._send(renewed, method, path, body, content, query)
        except errors.Unauthorized:
            raise self._tokens.refusal() from None

    @sensitive_variables()
    def _send(
        self, token: str, method: str, path: str, body: Any, content: str, query: dict[str, Any]
    ) -> dict[str, Any]:
        import urllib3

        of_secret = bool(_SECRETS.match(path))
        headers = {"Accept": _accepted(method, path), "Content-Type": content}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        wanted = {key: value for key, value in query.items() if value}
        with errors.translated(self.host):
            response = self._pool.request(
                method,
                f"{self.host}{path}" + (f"?{urlencode(wanted)}" if wanted else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=urllib3.Timeout(
                    connect=min(3, settings.CLUSTER_TIMEOUT), read=settings.CLUSTER_TIMEOUT
                ),
                # A redirect could lead where `egress` would not let us go.
                redirect=False,
                retries=False,
                preload_content=False,
            )
            body_of = _read(response)
        if response.status >= 300:
            error = errors.from_status(response.status, _without(token, body_of), of_secret=of_secret)
            error.retry_after = errors.seconds(response.headers.get("Retry-After", ""))
            raise error
        try:
            answer = json.loads(body_of)
        except (ValueError, RecursionError):
            raise errors.Unreachable(f"{self.host} does not answer like a Kubernetes API server.") from None
        return answer if isinstance(answer, dict) else {}
