"""Who asks and what they may do; tokens of ServiceAccounts as signed JWTs."""

import base64
import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sandbox import tokens
from sandbox.kubernetes import answers

EVERYTHING = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
]
READING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"], "not": ["secrets"]}]
_OPEN = ("api", "apis", "openapi", "version", "healthz", "livez", "readyz")


@dataclass(slots=True)
class User:
    """A known identity; a rule may name `namespaces` it holds in and resources it does `not` cover."""

    name: str
    rules: list[dict[str, Any]]
    groups: tuple[str, ...] = ("system:authenticated",)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def may(self, verb: str, group: str, plural: str, namespace: str, name: str = "") -> bool:
        return any(_covers(rule, verb, group, plural, namespace, name) for rule in self.rules)

    def may_ask(self, path: str, verb: str = "get") -> bool:
        """Tell whether an address that is no resource is open: discovery is, to everybody."""
        if path.strip("/").split("/")[0] in _OPEN:
            return True
        return any(
            {path, "*"} & set(rule.get("nonResourceURLs", ())) and {verb, "*"} & set(rule["verbs"])
            for rule in self.rules
        )


def _covers(rule: dict[str, Any], verb: str, group: str, plural: str, namespace: str, named: str) -> bool:
    def has(name: str, wanted: str) -> bool:
        return "*" in rule.get(name, ()) or wanted in rule.get(name, ())

    if plural in rule.get("not", ()) or not (
        has("apiGroups", group) and has("resources", plural) and has("verbs", verb)
    ):
        return False
    if rule.get("resourceNames") and named not in rule["resourceNames"]:
        return False
    return "namespaces" not in rule or namespace in rule["namespaces"]


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Identities:
    """The users by token, and the key that signs ServiceAccounts' tokens."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        # Each knows tokens of one kind, a cloud's for example: it returns who holds one, None for any other text, and
        # raises 401 for one that it refuses.
        self.authenticators: list[Callable[[str], User | None]] = []
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.add(User("sandbox-admin", EVERYTHING, ("system:masters", "system:authenticated")))
        self.add(User("sandbox-viewer", READING))

    def add(self, user: User) -> User:
        self.users[user.name] = user
        return user

    def of(self, authorization: str) -> User:
        """Return who sends this Authorization header.

        :raises answers.Refused: 401
        """
        token = authorization.removeprefix("Bearer ").strip()
        for ask in self.authenticators:
            if (found := ask(token)) is not None:
                return found
        for user in self.users.values():
            if token and secrets.compare_digest(user.token, token):
                return user
        raise answers.UNAUTHORIZED

    def account(self, authorization: str, issuer: str) -> dict[str, Any] | None:
        """Return the claims of a ServiceAccount's token that we signed for our own API, or None for any other text.

        :raises answers.Refused: 401, its time is over or it is for somebody else
        """
        token = authorization.removeprefix("Bearer ").strip()
        try:
            found = tokens.claims(token)
        except tokens.Unreadable:
            return None
        if not tokens.is_signed(token, self.jwks()):
            return None
        if issuer not in tokens.audiences(found) or found["exp"] <= time.time():
            raise answers.UNAUTHORIZED
        return found

    def reviewed(self, token: str, audiences: list[str]) -> dict[str, Any] | None:
        """Return the claims of a ServiceAccount's token that we signed for one of these, while it is good; or None."""
        try:
            found = tokens.claims(token)
        except tokens.Unreadable:
            return None
        good = tokens.is_signed(token, self.jwks()) and found["exp"] > time.time()
        return found if good and set(audiences) & set(tokens.audiences(found)) else None

    def require(self, user: User, verb: str, group: str, plural: str, namespace: str, name: str) -> None:
        if not user.may(verb, group, plural, namespace, name):
            raise answers.forbidden(user.name, verb, group, plural, namespace, name)

    def require_path(self, user: User, path: str) -> None:
        if not user.may_ask(path):
            raise answers.forbidden_path(user.name, path)

    def service_account_token(
        self, issuer: str, account: dict[str, Any], spec: dict[str, Any]
    ) -> dict[str, Any]:
        """Return a TokenRequest's status: a JWT, RS256, with the audiences asked for; `account` is metadata.

        :raises answers.Refused: 422 for less than ten minutes
        """
        seconds = int(spec.get("expirationSeconds", 3600))
        if seconds < 600:
            message = "may not specify a duration less than 10 minutes"
            causes = [("spec.expirationSeconds", f"Invalid value: {seconds}: {message}")]
            raise answers.invalid("TokenRequest", "authentication.k8s.io", "", causes)
        issued, namespace, name = int(time.time()), account["namespace"], account["name"]
        claims: dict[str, Any] = {
            "aud": spec.get("audiences") or [issuer],
            "exp": issued + seconds,
            "iat": issued,
            "iss": issuer,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": name, "uid": account.get("uid", "")},
            },
            "nbf": issued,
            "sub": f"system:serviceaccount:{namespace}:{name}",
        }
        head = _b64(json.dumps({"alg": "RS256", "kid": "sandbox"}).encode())
        body = f"{head}.{_b64(json.dumps(claims).encode())}"
        signature = self._key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256())
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(claims["exp"]))
        return {"token": f"{body}.{_b64(signature)}", "expirationTimestamp": until}

    def jwks(self) -> dict[str, Any]:
        numbers = self._key.public_key().public_numbers()
        n = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        key = {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": "sandbox",
            "n": _b64(n),
            "e": _b64(b"\x01\x00\x01"),
        }
        return {"keys": [key]}
