"""What the machine has, or must have."""

import os
import shutil
from typing import Any

import pytest
import redis

which = shutil.which


def broker(url: str) -> str:
    """Return everything in a broker and cache, keys and values, as text."""
    client = redis.from_url(url)
    readers = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        # It ended since it was listed.
        b"none": lambda key: b"",
    }
    return "\n".join(f"{key!r} {readers[client.type(key)](key)!r}" for key in client.scan_iter("*"))


def need(found: Any, what: str) -> Any:
    """Return what was found; a run that must have everything fails without it, any other one skips."""
    if found:
        return found
    if os.environ.get("REQUIRE_EVERYTHING"):
        pytest.fail(f"there is no {what} on this machine")
    pytest.skip(f"there is no {what} on this machine")
