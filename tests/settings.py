"""The console's settings for a test run: its own engines and keys, which end with the run.

xdist's workers inherit the addresses from the run that started them, and take a Valkey database each.
"""

import atexit
import os
from contextlib import ExitStack

from sandbox import engines

if "PYTEST_XDIST_WORKER" in os.environ:
    _number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].rpartition("/")[0] + f"/{_number + 1}"
else:
    _stack = ExitStack()
    os.environ.update(engines.keys())
    os.environ.update(_stack.enter_context(engines.running(two_roles=False)))
    os.environ.pop("DATABASE_OWNER_URL", None)
    atexit.register(_stack.close)
    os.environ |= {"STYLEGUIDE": "true", "DEBUG": "false", "SYNC_TIMEOUT": "20"}

from config.settings import *  # noqa: F403, TID251

STORAGES = STORAGES | {  # noqa: F405
    # Pages render without collectstatic.
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
STATIC_ROOT = BASE_DIR / "static"  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Tests sign in often, all from one address; those of the limits set their own.
SIGN_IN_HASHES_PER_MINUTE = 6000
# The tests ask more in a minute than anybody does.
API_PER_TOKEN = API_PER_ADDRESS = API_FAILURES = 1_000_000
