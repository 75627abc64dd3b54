"""The import path of `secrets/`.

That folder is deliberately not a package: as one it would hide Python's own `secrets`, and Django would answer 500
on the first CSRF token. Its two apps are imported as `accesses` and `external_secrets`.
"""

import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRETS_DIR = str(BASE_DIR / "secrets")

# Appended, never inserted: nothing in that folder may shadow the standard library.
if SECRETS_DIR not in sys.path:
    sys.path.append(SECRETS_DIR)
