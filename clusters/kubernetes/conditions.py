"""What an object says of itself."""

from typing import Any


def ready(item: dict[str, Any] | None) -> dict[str, Any]:
    """Return an object's Ready condition, empty when its controller has not looked at it."""
    conditions = ((item or {}).get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == "Ready"), {})
