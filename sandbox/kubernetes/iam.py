"""Who holds an IAM token, as the authenticator of EKS tells: it sends the request that the token is, and looks for an
access entry of whoever AWS says it was."""

import base64
import json
import re
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.kubernetes import answers, rbac
from sandbox.kubernetes.identity import EVERYTHING, User
from sandbox.kubernetes.store import Store

PREFIX = "k8s-aws-v1."
LONGEST = 16 * 1024
# A token is good for a quarter of an hour after it was signed; its address says a minute.
LIFETIME = 15 * 60
HEADER = "x-k8s-aws-id"
_KNOWN = {
    "action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-security-token",
    "x-amz-signature", "x-amz-signedheaders",
}  # fmt: skip
_SESSION = re.compile(r"arn:([\w-]+):sts::(\d+):assumed-role/([^/]+)/[^/]+")


class Authenticator:
    """Judges tokens for one cluster, by the name and region that its EKS knows it by."""

    def __init__(self, store: Store, aws_url: str, name: str, region: str) -> None:
        self.store, self.aws_url, self.name, self.region = store, aws_url, name, region

    def __call__(self, token: str) -> User | None:
        """Return who holds a token, or None for another kind of token.

        :raises answers.Refused: 401
        """
        if not token.startswith(PREFIX):
            return None
        arn = self._holder(self._address(token))
        session = _SESSION.fullmatch(arn)
        role = f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session else arn
        entry = self._entry(role)
        if entry is None:
            raise answers.UNAUTHORIZED
        groups = ("system:authenticated", *entry["groups"])
        rules = EVERYTHING if any("ClusterAdminPolicy" in name for name in entry["policies"]) else []
        return User(arn, [*rules, rbac.ISSUER, *rbac.bound(self.store, arn, groups)], groups)

    def _address(self, token: str) -> str:
        """Return the request that a token is, when it is one to AWS that says who sends it, signed for this cluster."""
        try:
            text = token.removeprefix(PREFIX)
            if len(token) > LONGEST or "=" in text:
                raise answers.UNAUTHORIZED
            address = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            parts = urlsplit(address)
            said = {
                name.lower(): values for name, values in parse_qs(parts.query, strict_parsing=True).items()
            }
            self._check(f"{parts.scheme}://{parts.netloc}", parts.path, said)
        except ValueError:
            raise answers.UNAUTHORIZED from None
        return address

    def _check(self, host: str, path: str, said: dict[str, list[str]]) -> None:
        once = {name: values[0] for name, values in said.items() if len(values) == 1}
        fits = (
            host == self.aws_url
            and path == "/"
            and said.keys() <= _KNOWN
            and len(once) == len(said)
            and once.get("action") == "GetCallerIdentity"
            and HEADER in once.get("x-amz-signedheaders", "").split(";")
            and 0 <= int(once.get("x-amz-expires", "-1")) <= LIFETIME
        )
        signed = datetime.strptime(once.get("x-amz-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if not fits or signed.timestamp() + LIFETIME < time.time():
            raise answers.UNAUTHORIZED

    def _holder(self, address: str) -> str:
        """Return the ARN that AWS tells when it is sent the request, in the name of this cluster."""
        request = urllib.request.Request(  # noqa: S310
            address, headers={HEADER: self.name, "Accept": "application/json"}
        )
        said = _asked(request)
        return str(said["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Arn"])

    def _entry(self, arn: str) -> dict[str, list[str]] | None:
        """Return what the access entry of an identity gives; the entry of a role with a path is found by its name."""
        body = json.dumps({"name": self.name, "region": self.region}).encode()
        entries = _asked(urllib.request.Request(f"{self.aws_url}/sandbox/eks/access", data=body))  # noqa: S310
        found = {re.sub(r":role/.*/", ":role/", known): entry for known, entry in entries.items()}
        return found.get(arn)


def _asked(request: urllib.request.Request) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return dict(json.loads(answer.read()))
    except (urllib.error.URLError, OSError):
        raise answers.UNAUTHORIZED from None
