"""The SDK's acceptance tests, over the asynchronous client."""

from collections.abc import Iterator
from types import FunctionType
from typing import Any

import pytest

from tests.acceptance import (
    system,
    test_sdk_instances,
    test_sdk_lists,
    test_sdk_logs,
    test_sdk_many,
    test_sdk_queues,
    test_sdk_results,
    test_sdk_waiting,
)
from tests.acceptance.system import Up
from tests.acceptance.test_sdk_instances import sleeper  # noqa: F401
from tests.blocking import blocking

ALIKE = (
    test_sdk_instances,
    test_sdk_lists,
    test_sdk_logs,
    test_sdk_many,
    test_sdk_queues,
    test_sdk_results,
    test_sdk_waiting,
)


def once(test: Any) -> Any:
    """A test that runs on one system, whatever the original runs on."""
    copy = FunctionType(test.__code__, test.__globals__, test.__name__, test.__defaults__, test.__closure__)
    copy.__kwdefaults__ = test.__kwdefaults__
    copy.__annotations__ = test.__annotations__
    copy.pytestmark = [mark for mark in getattr(test, "pytestmark", []) if mark.name != "everywhere"]  # type: ignore[attr-defined]
    return copy


for _module in ALIKE:
    for _name, _test in vars(_module).items():
        if _name.startswith("test_") and isinstance(_test, FunctionType):
            globals()[f"{_name}__{_module.__name__.rpartition('.')[2]}"] = once(_test)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A saltant whose client is asynchronous."""
    with (
        blocking(system, *(module for module in ALIKE if hasattr(module, "Client"))),
        Up(tmp_path_factory.mktemp("aio") / "data", "--concurrency", "4") as made,
    ):
        yield made
