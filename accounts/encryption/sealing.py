"""Text that is encrypted with the console's keys and kept elsewhere than in a field: bound to its place all the same."""

from cryptography.fernet import InvalidToken
from django.views.decorators.debug import sensitive_variables

from accounts.encryption import keys
from accounts.encryption.fields import Unreadable

_SEPARATOR = "\x1f"


@sensitive_variables()
def seal(context: str, text: str) -> str:
    """Return a text encrypted with the newest key; it opens only in the same context.

    :raises keys.KeyRetired: this process writes with a key that was dropped
    """
    keys.may_write()
    return keys.every().encrypt(f"{context}{_SEPARATOR}{text}".encode()).decode()


@sensitive_variables()
def unseal(context: str, sealed: str) -> str:
    """Return the text.

    :raises Unreadable: it is of another context, is not encrypted, or none of the keys fits
    """
    try:
        opened = keys.every().decrypt(sealed.encode()).decode()
    except (InvalidToken, UnicodeError):
        raise Unreadable(f"{context} cannot be decrypted with the keys given.") from None
    found, separator, text = opened.partition(_SEPARATOR)
    if not separator or found != context:
        raise Unreadable(f"{context} holds what belongs elsewhere.")
    return text
