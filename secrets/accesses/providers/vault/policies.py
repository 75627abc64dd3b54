"""The least policies for Vault, as text to paste."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

MOUNT = "secret"
READ, WRITE = ("read",), ("create", "update", "read", "delete")
LIST, TAG = ("read", "list"), ("create", "update", "read", "list")


def _rule(path: str, *capabilities: str) -> str:
    listed = ", ".join(f'"{one}"' for one in capabilities)
    # HCL writes a text as JSON does.
    return f"path {json.dumps(path, ensure_ascii=False)} {{\n  capabilities = [{listed}]\n}}"


def _folder(prefix: str) -> str:
    return prefix[: prefix.rfind("/") + 1]


def _version_2(mount: str, prefix: str, writes: bool) -> list[str]:
    data, metadata = (WRITE, TAG) if writes else (READ, LIST)
    rules = [_rule(f"{mount}/data/{prefix}*", *data), _rule(f"{mount}/metadata/{prefix}*", *metadata)]
    # The names of a folder are listed by its own path, which a longer prefix does not cover.
    if prefix and _folder(prefix) != prefix:
        rules.append(_rule(f"{mount}/metadata/{_folder(prefix)}", "list"))
    return rules + ([_rule(f"{mount}/undelete/{prefix}*", "update")] if writes else [])


def _version_1(mount: str, prefix: str, writes: bool) -> list[str]:
    rules = [_rule(f"{mount}/{prefix}*", *((*WRITE, "list") if writes else LIST))]
    if prefix and _folder(prefix) != prefix:
        rules.append(_rule(f"{mount}/{_folder(prefix)}", "list"))
    return rules


def text(mount: str = MOUNT, version: str = "2", prefix: str = "", *, writes: bool = False) -> str:
    """Return a policy for names with a prefix."""
    rules = (_version_1 if version == "1" else _version_2)(mount, prefix, writes)
    return "\n".join(rules)


def of(access: "Access | AccessDraft", *actions: str, writes: bool = False) -> str:
    """Return the policy for an access, beginning with what it is for."""
    configuration: dict[str, Any] = access.configuration
    prefix = str(getattr(access, "prefix", "") or "")
    found = text(configuration["mount"], configuration["version"], prefix, writes=writes)
    return f"# for {', '.join(actions)}\n{found}" if actions else found
