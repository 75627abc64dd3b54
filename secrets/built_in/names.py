"""What a secret of the built-in store may be called, and how much it may hold."""

import re

from credentials.clouds import errors

LONGEST = 200
# In bytes, as UTF-8.
MOST_BYTES = 65_536
# Of one secret; older ones go.
MOST_VERSIONS = 100
MOST_TAGS = 40
# Of one organization.
MOST_SECRETS = 10_000

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./+=@-]{0,199}")
ALLOWED = frozenset(chr(code) for code in range(128) if NAME.fullmatch(f"a{chr(code)}"))
CHARACTERS = "letters, digits and / _ . + = @ -"
RULE = f"A name has at most {LONGEST} {CHARACTERS}, and begins with a letter or a digit."


def check(name: str) -> str:
    """Return a name.

    :raises NotValid: it is none
    """
    if not NAME.fullmatch(name):
        raise errors.NotValid(RULE, "Choose another name.")
    return name


def check_size(value: str) -> None:
    """Refuse a value that is too large.

    :raises NotValid: it is
    """
    if len(value.encode(errors="surrogatepass")) > MOST_BYTES:
        raise errors.NotValid(
            f"A value has at most {MOST_BYTES // 1024} KB.", "Keep large files elsewhere, and their key here."
        )
