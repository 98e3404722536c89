"""A real `saltant up`, as people start it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.system import Up


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One `saltant up` for all tests that leave it running."""
    with Up(tmp_path_factory.mktemp("saltant") / "data") as system:
        yield system


@pytest.fixture
def own_up(tmp_path: Path) -> Iterator[Up]:
    """A `saltant up` of the test's own, to be stopped, killed and started again."""
    with Up(tmp_path / "data", "--concurrency", "2") as system:
        yield system
