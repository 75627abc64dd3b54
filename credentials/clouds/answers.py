"""What a cloud answers may be anything: another shape, texts that no column takes, more than anybody reads."""

import logging
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import requests
from django.views.decorators.debug import sensitive_variables
from requests.adapters import HTTPAdapter

from config import egress, reading
from credentials.clouds.errors import NotReachable

logger = logging.getLogger(__name__)

# More than the longest list of clusters has, and than the slowest one takes.
LARGEST, SECONDS = 16 * 1024 * 1024, 20.0
# What is told of one thing is shorter: a policy's name, an address, an authority in base64.
LONGEST = 2_000
# No column takes half a character or NUL, and no name has what turns the text beside it around.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SHAPES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def text(said: Any, longest: int = LONGEST) -> str:
    """Return what a cloud says as a text that can be kept and shown."""
    return _UNFIT.sub("\ufffd", str(said))[:longest]


def understood[**P, R](asks: Callable[P, R]) -> Callable[P, R]:
    """Return a function that asks a cloud so that an answer of another shape is an error of ours.

    :raises NotReachable: from the function; what it could not read is in the log, without a value
    """

    @wraps(asks)
    @sensitive_variables()
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return asks(*args, **kwargs)
        except _SHAPES as error:
            logger.error("An answer was not understood: %s at %s", type(error).__name__, _place(error))
        raise NotReachable(
            "The cloud answers in a way that Keyhaven does not understand.",
            "Check the proxies on the console's way out, then try again.",
        )

    return asked


def _place(error: BaseException) -> str:
    """Return where an error came from: a module's name and a line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace is not None else "?"


class Bounded(HTTPAdapter):
    """Reads so much of an answer, and for so long, and no more."""

    def send(self, request: Any, **options: Any) -> Any:  # type: ignore[override]
        answer = super().send(request, **options | {"stream": True})
        try:
            answer._content = reading.whole(answer.raw, LARGEST, SECONDS)
        except egress.TooLarge:
            raise requests.exceptions.ReadTimeout(request=request) from None
        except OSError:
            raise
        except Exception as error:
            raise requests.exceptions.ChunkedEncodingError(type(error).__name__) from None
        answer._content_consumed = True  # type: ignore[attr-defined]
        return answer


def bound(session: requests.Session) -> None:
    """Have a session read no more than that."""
    for scheme in ("https://", "http://"):
        session.mount(scheme, Bounded())
