"""What the tests of the API share."""

from collections.abc import Iterator

import pytest

from saltant.server.accounts.sign_in_limits import tries
from saltant.server.api import counts


@pytest.fixture(autouse=True)
def nobody_has_tried_to_sign_in() -> Iterator[None]:
    """Failed tries are counted in the process: each test begins with none."""
    tries.clear()
    yield
    tries.clear()


@pytest.fixture(autouse=True)
def nothing_was_counted() -> None:
    """What was counted is known to the process: each test begins without, whichever came before."""
    counts._counted.clear()
