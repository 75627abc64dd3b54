"""What goes wrong with 1Password alone."""

from accesses.troubles.base import Trouble

# fmt: off
ONEPASSWORD: tuple[Trouble, ...] = (
    Trouble("onepassword-item-missing", "link",
        "key not found in 1Password Vaults: db in: map[production:1]",
        r"key not found in 1Password Vaults",
        "There is no {named} in the vault of {access}.",
        "Check the item's title, letter by letter, or link it by its ID."),
    Trouble("onepassword-item-twice", "link",
        "expected one 1Password Item matching: 'db', got 2",
        r"expected one 1Password Item matching",
        "More than one item of the vault has the title {key}, and the operator takes none of them.",
        "Link the item by its ID, or rename the other one in 1Password."),
    Trouble("onepassword-field-missing", "link",
        "expected one 1Password ItemField matching: 'password' in 'db', got 0",
        r"expected one 1Password ItemField matching|found more than 1 fields with title",
        "The item has no field of that label, or more than one.",
        "Enter the label as 1Password shows it; without one the operator takes the field named password."),
    Trouble("onepassword-file-missing", "link",
        "error finding 1Password Document: 'db', 'ca.pem'",
        r"error finding 1Password Document",
        "The item has no attached file of that name.",
        "Enter it as file/NAME, as 1Password shows the name."),
    Trouble("onepassword-version", "link",
        "'remoteRef.version' is not implemented in the 1Password provider",
        r"'remoteRef\.version' is not implemented in the 1Password provider",
        "The operator reads no versions of 1Password's items.",
        "Take the version out of the link."),
    Trouble("onepassword-vault-missing", "both",
        "error finding 1Password Vault: status 403: vault 1 is not in scope",
        r"error finding 1Password Vault|status 40[034]: (vault .* (is not in scope|not found)|Invalid Vault UUID|"
        r"Authorization: token does not have access to vault)|Found \d+ vaults with title|vault .* not found",
        "The token of {access} does not see its vault, or there is none of that name.",
        "Enter the vault's ID, and issue a token for that vault."),
    Trouble("onepassword-token-refused", "both",
        "status 401: Invalid token signature",
        r"status 401: (Invalid (token|bearer)|Token is expired)|invalid service account token",
        "1Password does not know the token of {access}, or it has ended.",
        "Issue a new one, replace it in {access}, then deploy."),
)
