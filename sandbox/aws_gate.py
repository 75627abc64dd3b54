"""In front of moto: refusals of JSON services in JSON, as AWS writes them, and the sandbox's own addresses."""

import json
import re
from collections.abc import Callable
from typing import Any

from sandbox import aws_eks, aws_identity, aws_moto_keys, aws_presigned

type Application = Callable[[dict[str, Any], Any], Any]

_MOST = 1_000_000
# What query services call it → what JSON services call it.
_CODES = {
    "AccessDenied": "AccessDeniedException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "ExpiredToken": "ExpiredTokenException",
}
_REST = re.compile(r"/\d{8}/[\w-]+/(eks)/")


def as_aws(application: Application) -> Application:
    """Wrap moto."""

    def wrapped(environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("PATH_INFO", "").startswith("/sandbox/"):
            return _ours(environ, start_response)
        if aws_presigned.is_presigned(environ):
            return _presigned(environ, start_response)
        started: list[Any] = []
        body = b"".join(application(environ, lambda *given: started.append(given)))
        status, headers, *rest = started[0]
        if status.startswith("403"):
            status, headers, body = _in_json(environ, status, headers, body)
        start_response(status, headers, *rest)
        return [body]

    return wrapped


def _in_json(environ: dict[str, Any], status: str, headers: Any, body: bytes) -> tuple[str, Any, bytes]:
    found = re.search(rb"<Code>(\w+)</Code>\s*<Message>(.*?)</Message>", body, re.DOTALL)
    rest = _REST.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None or not (rest or "HTTP_X_AMZ_TARGET" in environ):
        return status, headers, body
    code, message = _CODES.get(found[1].decode(), found[1].decode()), found[2].decode()
    said = {"message": message} if rest else {"__type": code, "message": message}
    body = json.dumps(said).encode()
    headers = [
        ("Content-Type", "application/x-amz-json-1.1"),
        ("Content-Length", str(len(body))),
        ("x-amzn-ErrorType", code),
    ]
    return status if rest else "400 Bad Request", headers, body


def _presigned(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    status = "200 OK"
    try:
        said = aws_presigned.caller(environ)
    except aws_presigned.Refused as refused:
        status, said = (
            "403 Forbidden",
            json.dumps({"Error": {"Code": refused.code, "Type": "Sender"}}).encode(),
        )
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(said)))])
    return [said]


def _ours(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer what no cloud has: `/sandbox/issuers` gives the keys of an issuer, `/sandbox/expire` ends temporary keys,
    `/sandbox/eks` gives a cluster, and `/sandbox/eks/access` tells it whom it lets in."""
    size = min(int(environ.get("CONTENT_LENGTH") or 0), _MOST)
    status, said = "200 OK", b"{}"
    try:
        given = json.loads(environ["wsgi.input"].read(size) or b"null")
        match environ["PATH_INFO"]:
            case "/sandbox/issuers":
                aws_identity.issuers[given["issuer"]] = given["jwks"]
            case "/sandbox/expire":
                aws_moto_keys.expire(given["access_key_id"])
            case "/sandbox/eks":
                aws_eks.register(given)
            case "/sandbox/eks/access":
                said = aws_eks.answer(given)
            case _:
                status = "404 Not Found"
    except (ValueError, KeyError, TypeError):
        status = "400 Bad Request"
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(said)))])
    return [said]
