"""What docs/single-sign-on.md says is what the code does."""

import re

from accounts.single_sign_on.reasons import Reason
from config.paths import BASE_DIR


def test_every_reason_is_explained():
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", (BASE_DIR / "docs/single-sign-on.md").read_text(), re.M)

    assert rows == [(reason.value, reason.sentence) for reason in Reason]
