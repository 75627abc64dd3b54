"""HashiCorp Vault and OpenBao: the KV secrets engine, version 1 and 2."""

from typing import TYPE_CHECKING, Any

from accesses.providers.addresses import bundle
from accesses.providers.base import VAULTS, Provider
from accesses.providers.vault import cards
from accesses.providers.vault import methods as vault_methods
from accesses.providers.vault import policies as vault_policies
from accesses.providers.vault import references as vault_references
from accesses.providers.vault import wire as vault_wire
from accesses.providers.vault import writing as vault_writing

if TYPE_CHECKING:
    from accesses.models import Access

SLUG = "vault"


def _store(access: "Access", auth: dict[str, Any] | None) -> dict[str, Any]:
    """Return `spec.provider`."""
    configuration = access.configuration
    spec: dict[str, Any] = {
        "server": configuration["address"],
        "path": configuration["mount"],
        "version": f"v{configuration['version']}",
        "auth": auth,
    }
    if configuration.get("namespace"):
        spec["namespace"] = configuration["namespace"]
    if configuration.get("ca"):
        spec["caBundle"] = bundle(configuration["ca"])
    return {"vault": spec}


PROVIDER = Provider(
    slug=SLUG,
    label="HashiCorp Vault and OpenBao",
    sentence="Secrets of one KV engine, version 1 or 2.",
    methods=vault_methods.METHODS,
    store_provider=_store,
    connect=vault_writing.Client,
    cards=cards.of,
    references=vault_references.VERSION_2,
    references_by=vault_references.of,
    policy=vault_policies.text(),
    policy_note="For the root engine secret, version 2; put your own path in its place. Version 1 has no data/ and no "
    "metadata/ between the engine and the name. Folders that the identity may not list are left out.",
    group=VAULTS,
    typed_address=True,
    writing=vault_writing.VERSION_2,
    writing_by=vault_writing.of,
    refusals=tuple(dict.fromkeys((*vault_wire.REFUSALS, *vault_wire.LOGIN, *vault_wire.CLUSTER))),
    limits="Vault has no limit of its own, only rate limit quotas that its administrators set. Listing takes one request a "
    "folder and, with version 2, one a name for its tags and dates; the operator takes a sign-in and a request for each "
    "value.",
)
