"""What the API answers when it can't do what was asked: problem documents (RFC 9457), and what becomes one."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from pydantic import BaseModel, Field

from accounts.audit import origin

MEDIA = "application/problem+json"
# status → the word that ends the problem's type, its title, and what is said where nothing better is known
KINDS: dict[int, tuple[str, str, str]] = {
    400: ("malformed", "Malformed request", "The request is not one that can be read."),
    401: ("unauthorized", "No valid API token", "Send an API token that is neither revoked nor expired."),
    403: ("forbidden", "Not permitted", "The token may not do this."),
    404: ("not-found", "Not found", "There is nothing here, or nothing that the token may see."),
    405: ("method-not-allowed", "Method not allowed", "The header Allow says which methods there are."),
    409: ("conflict", "Conflict", "This contradicts what is there."),
    413: ("too-large", "Body too large", "A body has at most 1 MiB."),
    415: ("media-type", "Not JSON", "Send the body as application/json."),
    422: ("invalid", "Not valid", "Some of what was sent can't be accepted."),
    429: ("too-many", "Too many requests", "Wait as long as Retry-After says."),
    500: (
        "unexpected",
        "Unexpected error",
        "This is a mistake of the console's. Its log has the request id.",
    ),
    502: ("upstream", "Failed elsewhere", "A cluster, a cloud or a secret manager answered with an error."),
    503: ("unavailable", "Not available", "A part of the console is away, which passes. Ask again shortly."),
}


class FieldProblem(BaseModel):
    """What is wrong with one field; an empty `field` means the whole."""

    field: str = Field(examples=["name"])
    detail: str = Field(examples=["Use at most 40 lower-case letters, digits and hyphens."])


class ProblemDocument(BaseModel):
    """A problem document as in RFC 9457."""

    type: str = Field(examples=["urn:keyhaven:problem:not-found"])
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = Field(description="By field, where single fields are wrong; else empty.")
    request_id: str = Field(description="As in the header X-Request-Id, the log and the audit log.")


class Problem(Exception):
    """Raised anywhere in a call to answer a problem; `code` names a case that callers tell apart."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        code: str = "",
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status, self.detail, self.code = status, detail, code
        self.errors, self.headers = list(errors), dict(headers or {})
        super().__init__(status, code)


def respond(problem: Problem) -> HttpResponse:
    """Return the problem as a response."""
    word, title, detail = KINDS.get(problem.status, KINDS[400 if problem.status < 500 else 500])
    document = {
        "type": f"urn:keyhaven:problem:{problem.code or word}",
        "title": title,
        "status": problem.status,
        "detail": problem.detail or detail,
        "errors": [error.model_dump() for error in problem.errors],
        "request_id": origin.current().request_id,
    }
    headers = dict(problem.headers)
    if problem.status == 401:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="Keyhaven"')
    return HttpResponse(json.dumps(document), content_type=MEDIA, status=problem.status, headers=headers)


def instead_of(response: HttpResponse) -> HttpResponse:
    """Return a problem in place of an error that Django answered itself: its status and headers, none of its text."""
    kept = {name: response[name] for name in ("Allow", "Retry-After") if name in response.headers}
    return respond(Problem(response.status_code, headers=kept))


def checked[F: forms.BaseForm](form: F) -> dict[str, Any]:
    """Return what a form has cleaned; the rules of the pages are written once, in their forms.

    :raises Problem: the form is not valid; says what is wrong by field
    """
    if form.is_valid():
        return dict(form.cleaned_data)
    errors = [
        FieldProblem(field="" if name == NON_FIELD_ERRORS else name, detail=str(text))
        for name, texts in form.errors.items()
        for text in texts
    ]
    raise Problem(422, errors=errors)


def invalid(field: str, detail: str) -> Problem:
    """Return the problem of one field."""
    return invalid_fields({field: detail})


def invalid_fields(details: Mapping[str, str]) -> Problem:
    """Return the problem of several fields."""
    return Problem(422, errors=[FieldProblem(field=field, detail=text) for field, text in details.items()])


@contextlib.contextmanager
def turning(statuses: Mapping[type[Exception], int]) -> Iterator[None]:
    """Turn the named failures of a service into problems that say what the failure says."""
    try:
        yield
    except tuple(statuses) as error:
        status = next(statuses[kind] for kind in type(error).__mro__ if kind in statuses)
        raise Problem(status, str(error)) from error


def _of_fields(error: ValidationError) -> Problem:
    """Name what was sent by its field alone; what it held is never repeated."""
    errors = []
    for one in error.errors:
        source, *names = one["loc"]
        field = ".".join(str(name) for name in (names[1:] if source == "body" else names))
        errors.append(FieldProblem(field=field, detail=one["msg"]))
    return Problem(422, errors=errors)


def _translated(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return _of_fields(error)
    if isinstance(error, PermissionDenied):
        return Problem(403, str(error))
    if isinstance(error, HttpError):
        return Problem(error.status_code)
    statuses = {Http404: 404, RequestDataTooBig: 413, UnreadablePostError: 400}
    return Problem(next(status for kind, status in statuses.items() if isinstance(error, kind)))


EXPECTED = (
    Problem,
    ValidationError,
    PermissionDenied,
    HttpError,
    Http404,
    RequestDataTooBig,
    UnreadablePostError,
)


def install(api: NinjaAPI) -> None:
    """Make every expected failure of a call a problem; an unexpected one goes on to Django, and to the gate."""

    def answer(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
        if isinstance(error, type):
            error = error()
        return respond(_translated(error))

    for kind in EXPECTED:
        api.add_exception_handler(kind, answer)
