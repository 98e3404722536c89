"""The SDK's tests, over the asynchronous client: errors, tries, time-outs, streams, downloads and waits are alike."""

from collections.abc import Iterator

import pytest

from tests.blocking import blocking
from tests.unit.sdk import (
    conftest,
    test_http,
    test_idempotency,
    test_logs,
    test_many,
    test_results,
    test_waiting,
    test_watching,
)
from tests.unit.sdk.test_results import job, store  # noqa: F401
from tests.unit.sdk.test_waiting import quick_looks  # noqa: F401

ALIKE = (test_http, test_idempotency, test_logs, test_many, test_results, test_waiting, test_watching)
OF_THE_CLOCK = ("test_retry_after_is_waited_for", "test_a_server_that_does_not_hold_back_is_asked_again_and_again")
"""They look at the clock that the other client waits by."""

for _module in ALIKE:
    for _name, _test in vars(_module).items():
        if _name.startswith("test_") and callable(_test) and _name not in OF_THE_CLOCK:
            globals()[f"{_name}__{_module.__name__.rpartition('.')[2]}"] = _test


@pytest.fixture(autouse=True)
def _asynchronous() -> Iterator[None]:
    with blocking(conftest, *(module for module in ALIKE if hasattr(module, "Client"))):
        yield
