"""Where a store says that its credential is: a key of the access's own Secret, or a token of its own ServiceAccount."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accesses.models import Access


def key_of_secret(access: "Access", namespace: str, key: str) -> dict[str, str]:
    """Return the selector of one key; without a namespace the operator would look where the external secret is."""
    return {"name": access.store_name, "namespace": namespace, "key": key}


def service_account(access: "Access", namespace: str, *audiences: str) -> dict[str, Any]:
    """Return the reference to the ServiceAccount whose tokens are made, for these audiences where they are named."""
    found = {"name": access.service_account, "namespace": namespace}
    return found | ({"audiences": list(audiences)} if audiences else {})
