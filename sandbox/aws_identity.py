"""AssumeRole and AssumeRoleWithWebIdentity as AWS judges them: external id; issuer, signature, expiry, audience; and the
role's trust policy.

moto takes any token, and any external id. Nothing fetches an issuer's keys here: who starts a cluster registers them (`POST /sandbox/issuers`).
"""

import fnmatch
import json
import re
import time
from typing import Any
from xml.sax.saxutils import escape

from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend, OpenIDConnectProvider, Role, iam_backends
from werkzeug.exceptions import HTTPException

from sandbox import tokens

ACTION = "sts:AssumeRoleWithWebIdentity"
ASSUME = "sts:AssumeRole"
_ARN = re.compile(r"^arn:(aws[a-z-]*):iam::(\d{12}):role/[\w+=,.@/-]+$")
# Issuer → the keys it publishes.
issuers: dict[str, dict[str, Any]] = {}


class Refused(HTTPException):
    """A refusal in the XML of STS."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__()
        self.code = status
        self.description = (
            '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
            f"<Code>{code}</Code><Message>{escape(message)}</Message></Error>"
            "<RequestId>sandbox</RequestId></ErrorResponse>"
        )

    def get_headers(self, *_: Any, **__: Any) -> list[tuple[str, str]]:
        return [("Content-Type", "text/xml")]


def _denied() -> Refused:
    # The same words whether the role is missing or does not trust the token: AWS tells strangers no more.
    return Refused(403, "AccessDenied", f"Not authorized to perform {ACTION}")


def _invalid(message: str) -> Refused:
    return Refused(400, "InvalidIdentityToken", message)


def check(role_arn: str, token: str) -> None:
    """Judge whether the token may assume the role.

    :raises Refused: with the code that AWS has for it
    """
    found = _ARN.match(role_arn)
    if found is None:
        raise Refused(400, "ValidationError", "Request ARN is invalid")
    backend = iam_backends[found[2]][found[1]]
    try:
        claims = tokens.claims(token)
    except tokens.Unreadable:
        raise _invalid(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
        ) from None
    provider = _provider(backend, str(claims.get("iss", "")))
    _signed_and_fresh(token, claims)
    audience = next((name for name in tokens.audiences(claims) if name in provider.client_id_list), None)
    if audience is None:
        raise _invalid("Incorrect token audience")
    says = {f"{provider.url}:aud": audience, f"{provider.url}:sub": str(claims.get("sub", ""))}
    try:
        role = backend.get_role_by_arn(role_arn)
    except NotFoundException:
        raise _denied() from None
    if not trusts(role, "Federated", {provider.arn}, ACTION, says):
        raise _denied()


def check_caller(caller_arn: str, role_arn: str, external_id: str | None, seconds: int) -> None:
    """Judge whether who signed the request may assume the role; their own policies have been asked already.

    :raises Refused: with the code that AWS has for it
    """
    found = _ARN.match(role_arn)
    if found is None:
        raise Refused(400, "ValidationError", f"{role_arn} is invalid")
    denied = Refused(
        403,
        "AccessDenied",
        f"User: {caller_arn} is not authorized to perform: {ASSUME} on resource: {role_arn}",
    )
    try:
        role = iam_backends[found[2]][found[1]].get_role_by_arn(role_arn)
    except NotFoundException:
        raise denied from None
    says = {} if external_id is None else {"sts:ExternalId": external_id}
    if not trusts(role, "AWS", _principals(caller_arn), ASSUME, says):
        raise denied
    if seconds > int(role.max_session_duration or 3600):
        raise Refused(
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )


def _principals(arn: str) -> set[str]:
    """Return the names by which a trust policy may mean who has this ARN."""
    _, partition, _, _, account, resource = arn.split(":", 5)
    found = {arn, account, f"arn:{partition}:iam::{account}:root", "*"}
    if resource.startswith("assumed-role/"):
        found.add(f"arn:{partition}:iam::{account}:role/{resource.split('/')[1]}")
    return found


def _provider(backend: IAMBackend, issuer: str) -> OpenIDConnectProvider:
    wanted = issuer.removeprefix("https://")
    for provider in backend.open_id_providers.values():
        if issuer.startswith("https://") and provider.url == wanted:
            return provider
    raise _invalid(f"No OpenIDConnect provider found in your account for {issuer}")


def _signed_and_fresh(token: str, claims: dict[str, Any]) -> None:
    jwks = issuers.get(str(claims["iss"]))
    if jwks is None:
        message = "Couldn't retrieve verification key from your identity provider"
        raise Refused(400, "IDPCommunicationError", message)
    if not tokens.is_signed(token, jwks):
        raise _invalid("The web identity token's signature could not be verified")
    until = int(claims.get("exp", 0))
    if until <= time.time():
        times = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (time.time(), until)]
        message = "Token expired: current date/time {} must be before the expiration date/time {}"
        raise Refused(400, "ExpiredTokenException", message.format(*times))


def trusts(role: Role, kind: str, principals: set[str], action: str, says: dict[str, str]) -> bool:
    """Tell whether a role's trust policy lets in who is one of these principals and says this."""
    statements = json.loads(role.assume_role_policy_document)["Statement"]
    allowed = False
    for statement in [statements] if isinstance(statements, dict) else statements:
        if not (_means(statement, kind, principals) and _fits(statement, action, says)):
            continue
        if statement.get("Effect") != "Allow":
            return False
        allowed = True
    return allowed


def _means(statement: dict[str, Any], kind: str, principals: set[str]) -> bool:
    principal = statement.get("Principal")
    named = _listed(principal.get(kind, ())) if isinstance(principal, dict) else _listed(principal or ())
    return not principals.isdisjoint(named)


def _listed(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]


def _fits(statement: dict[str, Any], action: str, says: dict[str, str]) -> bool:
    actions = _listed(statement.get("Action", ()))
    if not any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in actions):
        return False
    conditions: dict[str, dict[str, Any]] = statement.get("Condition") or {}
    return all(
        _holds(operator, says.get(key), _listed(wanted))
        for operator, pairs in conditions.items()
        for key, wanted in pairs.items()
    )


def _holds(operator: str, said: str | None, wanted: list[str]) -> bool:
    """Tell whether a condition holds; an operator that we do not know never does."""
    match operator.removeprefix("ForAnyValue:"):
        case "StringEquals":
            return said in wanted
        case "StringLike":
            return said is not None and any(_like(said, pattern) for pattern in wanted)
        case "StringNotEquals":
            return said not in wanted
    return False


def _like(said: str, pattern: str) -> bool:
    escaped = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(escaped, said) is not None
