"""Label and field selectors."""

import re
from typing import Any


def labels_fit(selector: str, labels: dict[str, str]) -> bool:
    """Tell whether labels fit a label selector."""
    for part in filter(None, re.split(r",(?![^(]*\))", selector)):
        inside = re.match(r"^\s*(\S+)\s+(in|notin)\s+\(([^)]*)\)\s*$", part)
        if inside:
            listed = {word.strip() for word in inside[3].split(",")}
            if (labels.get(inside[1]) in listed) != (inside[2] == "in"):
                return False
            continue
        name, operator, value = re.match(r"^\s*!?([^!=\s]+)\s*(==|!=|=)?\s*(.*)$", part).groups()  # type: ignore[union-attr]
        if operator is None:
            fits = (name in labels) != part.strip().startswith("!")
        else:
            fits = (labels.get(name) == value.strip()) != (operator == "!=")
        if not fits:
            return False
    return True


def fields_fit(selector: str, item: dict[str, Any]) -> bool:
    """Tell whether an object fits a field selector."""
    for part in filter(None, selector.split(",")):
        path, _, value = part.replace("==", "=").partition("=")
        node: Any = item
        for name in path.rstrip("!").split("."):
            node = node.get(name) if isinstance(node, dict) else None
        if (str(node or "") == value) == path.endswith("!"):
            return False
    return True
