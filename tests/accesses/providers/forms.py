"""What the tests of providers' forms share."""

from typing import Any


def errors_of(form: Any, field: str) -> str:
    """Return what is wrong with a field of a form that is not valid, in one text."""
    assert not form.is_valid()
    return " ".join(form.errors.get(field, []))
