"""What may be shown of an address: a webhook's path is often its password."""

from urllib.parse import urlsplit

_SEALED = ("webhook", "otlp")


def of(kind: str, address: str) -> str:
    """Return an address without what may be secret in it, at most 300 characters."""
    if kind not in _SEALED:
        return address.replace(",", ", ")[:300]
    parts = urlsplit(address)
    more = "/…" if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{more}"[:300]


def is_sealed(kind: str) -> bool:
    """Tell whether an address of a kind is never shown whole."""
    return kind in _SEALED
