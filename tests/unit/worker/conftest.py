"""A running worker for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.worker.rig import Rig


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    rigs = []

    def make(data: Path | None = None, **options: Any) -> Rig:
        rigs.append(Rig(data or tmp_path / "data", **options))
        return rigs[-1]

    yield make
    for each in rigs:
        each.close()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig()


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """Writes a script and returns its path."""

    def write(text: str, name: str = "script", mode: int = 0o755) -> str:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    return write
