"""Reading an answer of somebody who may mean harm: so much of it, and for so long, and no more."""

import time
from typing import Any

from config import egress

_PIECE = 64 * 1024


def whole(raw: Any, largest: int, seconds: float) -> bytes:
    """Return the body of an answer of urllib3 that was asked for without its content.

    :raises egress.TooLarge: it has more bytes, or takes longer
    :raises urllib3.exceptions.HTTPError: it breaks off
    """
    read, end = bytearray(), time.monotonic() + seconds
    # `read` waits for a whole piece, which one that drips may take days for; `read1` returns what is there.
    while piece := raw.read1(_PIECE, decode_content=True):
        read += piece
        if len(read) > largest or time.monotonic() > end:
            raw.close()
            raise egress.TooLarge("The answer is too large, or takes too long.")
    raw.release_conn()
    return bytes(read)
