"""Reading a body: strict JSON whose texts PostgreSQL can keep."""

import json
from typing import Any, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser


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
