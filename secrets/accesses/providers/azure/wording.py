"""Azure Key Vault in words: what its refusals mean, what an identity has to be allowed, and how much it may ask."""

import re
from typing import Any

from accesses.providers.asking import Refusal
from credentials.clouds import errors

VENDOR = "Azure Key Vault"
_ACTIONS = "Microsoft.KeyVault/vaults/secrets"
LIST, READ = f"{_ACTIONS}/readMetadata/action", f"{_ACTIONS}/getSecret/action"
SET, UPDATE = f"{_ACTIONS}/setSecret/action", f"{_ACTIONS}/update/action"
DELETE, RECOVER = f"{_ACTIONS}/delete", f"{_ACTIONS}/recover/action"
USER, OFFICER = "Key Vault Secrets User", "Key Vault Secrets Officer"
# What an access policy calls each.
_POLICY = {LIST: "list", READ: "get", SET: "set", UPDATE: "set", DELETE: "delete", RECOVER: "recover"}
_READS, _WRITES = ("get", "list"), ("get", "list", "set", "delete", "recover")


def _lines(vault: str, who: str, role: str, words: tuple[str, ...]) -> str:
    return "\n".join(
        [
            f'az role assignment create --role "{role}" --assignee-object-id {who} '
            "--assignee-principal-type ServicePrincipal "
            f'--scope "$(az keyvault show --name {vault} --query id -o tsv)"',
            "# or, where the vault has access policies instead of Azure RBAC:",
            f"az keyvault set-policy --name {vault} --object-id {who} --secret-permissions {' '.join(words)}",
        ]
    )


READING = _lines("VAULT", "OBJECT_ID", USER, _READS)
WRITING = _lines("VAULT", "OBJECT_ID", OFFICER, _WRITES)


def granted(vault: str, who: str, actions: list[str]) -> str:
    """Return the az lines that allow these actions to a service principal, by its object ID."""
    writes = any(action not in (LIST, READ) for action in actions)
    role, words = (OFFICER, _WRITES) if writes else (USER, _READS)
    return f"# for {', '.join(actions)}\n{_lines(vault, who or 'OBJECT_ID', role, words)}"


_LET_IN = (
    "Assign it the role that this page shows, on the vault or on this secret; it has {permission}. A new assignment works "
    "after some minutes."
)
_BY_POLICY = "The vault's access policies do not give this identity {permission}."
_OTHER_TENANT = "The vault belongs to another tenant than this identity."
_RECREATED = "Recover it, or purge it at Azure; then the name is free."
REFUSALS = (
    Refusal(
        401,
        errors.CredentialRefused,
        _OTHER_TENANT,
        "Compare the tenant ID with the Directory ID on the vault's overview.",
        code="AKV10032",
    ),
    Refusal(
        401,
        errors.CredentialRefused,
        "The vault does not accept this identity's token.",
        "Check the tenant, and the cloud that the vault is in.",
    ),
    Refusal(
        403,
        errors.PermissionMissing,
        "No role of this identity has {permission} on this vault.",
        _LET_IN,
        code="ForbiddenByRbac",
    ),
    Refusal(
        403,
        errors.PermissionMissing,
        _BY_POLICY,
        "Add it to the vault's access policies with the line that this page shows; it gives {permission}.",
        code="AccessDenied",
    ),
    Refusal(
        403,
        errors.PermissionMissing,
        _BY_POLICY,
        "Add it to the vault's access policies with the line that this page shows; it gives {permission}.",
        code="ForbiddenByPolicy",
    ),
    Refusal(
        403,
        errors.NotReachable,
        "The vault's firewall does not let this console in.",
        "Add the console's address under the vault's Networking, or a private endpoint. The cluster's nodes need the same.",
        code="ForbiddenByFirewall",
    ),
    Refusal(
        403,
        errors.NotReachable,
        "The vault takes connections over its private endpoint alone.",
        "Let the console's network reach the private endpoint, or enable public access under the vault's Networking.",
        code="ForbiddenByConnection",
    ),
    Refusal(
        403,
        errors.NotPossibleHere,
        "The secret is disabled.",
        "Enable its current version at Azure.",
        code="SecretDisabled",
    ),
    Refusal(403, errors.PermissionMissing, "The identity lacks {permission} on this vault.", _LET_IN),
    Refusal(
        404,
        errors.NotThere,
        "There is no key vault of this name.",
        "Compare the name with the vault's overview, and the cloud that it is in.",
        code="VaultNotFound",
    ),
    Refusal(
        404,
        errors.NotThere,
        "The vault has no secret of this name, or no such version of it.",
        "Check the name. One that was deleted lately can be recovered.",
    ),
    Refusal(
        409,
        errors.AlreadyThere,
        "A secret of this name was deleted and can still be recovered.",
        _RECREATED,
        code="ObjectIsDeletedButRecoverable",
    ),
    Refusal(
        409,
        errors.Raced,
        "Azure is still deleting this secret.",
        "Try again in some seconds.",
        code="ObjectIsBeingDeleted",
    ),
    Refusal(
        409,
        errors.Raced,
        "Azure is still recovering this secret.",
        "Try again in some seconds.",
        code="ObjectIsBeingRecovered",
    ),
    Refusal(409, errors.Raced, "Azure is busy with another change of this secret."),
    Refusal(
        400,
        errors.NotValid,
        "The vault does not take this: a name or a value that it cannot keep.",
        "Names have letters, digits and -. A value has at most 25 KB.",
        code="BadParameter",
    ),
    Refusal(429, errors.Throttled, "The vault asks to slow down."),
)
LIMITS = (
    "Azure allows 4,000 requests for secrets in 10 seconds for a vault in a region, of which at most 300 make new "
    "versions, and five times as many in a subscription. It lists 25 names a request: a vault of 1,000 secrets is 40 "
    "requests. The operator asks once for each value at each refresh, and lists the whole vault for a link to several "
    "secrets."
)


def no_vault(host: str) -> errors.NotThere:
    """Return that no host has a vault's name: Azure gives each vault one."""
    return errors.NotThere(
        f"There is no key vault {host}: the internet knows no such name.",
        "Compare the name with the vault's overview, and the cloud that it is in.",
    )


_AKV = re.compile(r"AKV\d{5}")


def code_of(body: Any) -> str:
    """Return the most exact code of a refusal: of what is inside, or the number of a refused token."""
    error = body["error"]
    inner = error.get("innererror") or error.get("innerError") or {}
    number = _AKV.match(str(error.get("message") or ""))
    return str(inner.get("code") or (number[0] if number else "") or error.get("code") or "")
