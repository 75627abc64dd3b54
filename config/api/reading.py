"""Reading what is sent: strict JSON whose texts and times PostgreSQL can keep."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser
from pydantic import AfterValidator


def _in_utc(moment: datetime) -> datetime:
    """Return a time in UTC, in which one without a zone is; PostgreSQL refuses some zones that Python has."""
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("This is no time that there is.") from None


# A time that is sent.
Moment = Annotated[datetime, AfterValidator(_in_utc)]


class StrictParser(Parser):
    """Refuses what JSON has no word for (NaN), and texts with NUL or half a character; django-ninja answers 400."""

    def parse_body(self, request: HttpRequest) -> Any:
        return _plain(json.loads(request.body, parse_constant=_refuse))


def _refuse(word: str) -> NoReturn:
    raise ValueError("not a number")


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        value.encode()
        if "\0" in value:
            raise ValueError("NUL")
    elif isinstance(value, dict):
        _plain(list(value))
        _plain(list(value.values()))
    elif isinstance(value, list):
        for one in value:
            _plain(one)
    return value
