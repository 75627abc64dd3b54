"""What can be written to Vault, and how a value becomes a secret's fields."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from accesses.providers import vault_policies, vault_references
from accesses.providers.references import NotReadable
from accesses.providers.writing import Writing

if TYPE_CHECKING:
    from accesses.models import Access

FIELD = "value"
_AS_FIELDS = (
    "A value that is a JSON object becomes the secret's fields; any other text is kept in one field, value. To read that one, "
    "link it as NAME#value. "
)


def _name(access: "Access", name: str) -> str:
    """Return a name as a path below the engine.

    :raises NotReadable: it is none, or the operator would take it for another one
    """
    path, mount = vault_references.clean(name), access.configuration["mount"]
    if path.startswith(f"{mount}/"):
        raise NotReadable(f"A name cannot begin with {mount}/: the operator takes that for the engine.")
    return path


VERSION_2 = Writing(
    policy=vault_policies.text(writes=True),
    # Below what Vault takes with every storage.
    most_bytes=500_000,
    name=_name,
    note=_AS_FIELDS
    + "A deleted secret keeps its versions, and can be restored until somebody destroys them in Vault.",
)
VERSION_1 = replace(
    VERSION_2,
    policy=vault_policies.text(version="1", writes=True),
    versions=False,
    restores=False,
    tags=False,
    note=_AS_FIELDS
    + "Version 1 of the engine has no versions and no tags: a new value replaces the old one, and what is "
    "deleted is gone.",
)


def of(access: "Access") -> Writing:
    """Return how an access is written to: its engine's version decides."""
    own = VERSION_1 if access.configuration.get("version") == "1" else VERSION_2
    return replace(own, policy=vault_policies.of(access, writes=True))


def _not_json(text: str) -> Any:
    raise ValueError(text)


@sensitive_variables()
def fields(value: str) -> str:
    """Return a secret's fields as raw JSON: an object as it was typed, so that no number changes, or one field."""
    try:
        found = json.loads(value, parse_constant=_not_json)
    except (ValueError, RecursionError):
        found = None
    return value if isinstance(found, dict) else json.dumps({FIELD: value})
