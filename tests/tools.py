"""What the machine has, or must have."""

import os
import shutil
from typing import Any

import pytest

which = shutil.which


def need(found: Any, what: str) -> Any:
    """Return what was found; a run that must have everything fails without it, any other one skips."""
    if found:
        return found
    if os.environ.get("REQUIRE_EVERYTHING"):
        pytest.fail(f"there is no {what} on this machine")
    pytest.skip(f"there is no {what} on this machine")
