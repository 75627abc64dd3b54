"""The OpenAPI document: django-ninja's, and for every call the answers that all have in common."""

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from config.api import idempotency, limits
from config.api.problems import KINDS, MEDIA, Problem, ProblemDocument, respond

# What any call may answer. Those with a body, and those that make something, add theirs.
ALWAYS = (400, 401, 403, 404, 409, 422, 429, 500, 502, 503)
REFERENCE = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": f"Any text of yours. The same call with the same key within {idempotency.HOURS} hours is carried "
    "out once.",
    "schema": {"type": "string", "maxLength": idempotency.LONGEST, "pattern": "^[!-~]*$"},
}
SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API token, made at “API tokens” in the organization's settings: `khp_…` acts as the member who "
    "made it, within the token's roles; `kho_…` is the organization's.",
}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add to each call its problems, its key and its permission, and describe the token."""
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    document["components"]["schemas"] |= schema.pop("$defs") | {"ProblemDocument": schema}
    document["components"]["securitySchemes"] = {"token": SCHEME}
    for methods in document["paths"].values():
        for method, call in methods.items():
            _complete(method, call)
    return document


def _complete(method: str, call: dict[str, Any]) -> None:
    call["security"] = [{"token": []}]
    permission = f"Needs the permission `{call['x-permission']}`."
    call["description"] = f"{call['description']}\n\n{permission}" if call.get("description") else permission
    for status, answer in call["responses"].items():
        answer["headers"] = _headers()
        if media := call.get("x-media"):
            answer["content"] = {media: {"schema": {"type": "string"}}}
        if status == 204:
            answer.pop("content", None)
    statuses = (*ALWAYS, 413, 415) if "requestBody" in call else (*ALWAYS, 415) if method != "get" else ALWAYS
    for status in sorted(statuses):
        call["responses"][status] = {
            "description": KINDS[status][1],
            "content": {MEDIA: REFERENCE},
        }
    if method == "post":
        call["parameters"] = [*call.get("parameters", []), KEY]


def _headers() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "X-Request-Id": {"description": "Also in the log and the audit log.", "schema": text},
        "RateLimit": {"description": f"What is left in this window of {limits.WINDOW} s.", "schema": text},
    }


class Api(NinjaAPI):
    """django-ninja's, with the completed document, which is made once."""

    _completed: dict[str, Any] | None = None

    def get_openapi_schema(self, **given: Any) -> Any:
        if self._completed is None:
            self._completed = complete(super().get_openapi_schema(**given))
        return self._completed


def limited(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let an address read the document as often as it may call."""

    @functools.wraps(view)
    def counted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            limits.ask(request)
        except Problem as problem:
            return respond(problem)
        return view(request, *args, **kwargs)

    return counted
