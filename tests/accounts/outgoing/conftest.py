from typing import Any

import pytest

from tests.accounts.outgoing.receivers import Receiver


@pytest.fixture
def receiver() -> Any:
    made = Receiver()
    yield made
    made.close()
