"""What has to be so before the console serves."""

import logging

from django.db import DatabaseError, connection

from accounts.encryption import keys
from credentials import issuer

logger = logging.getLogger(__name__)


def check() -> None:
    """Go on, if everything stored can be read; and have a key that signs tokens for clouds.

    :raises KeyMissing: values are stored under a key that was not given
    :raises KeyRetired: what would be written could not be read by others
    """
    keys.check()
    try:
        issuer.prepare()
    except DatabaseError as error:
        logger.warning("There is no key yet that signs tokens for clouds: %s", type(error).__name__)
    finally:
        connection.close()
