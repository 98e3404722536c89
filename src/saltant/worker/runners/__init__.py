"""How each kind of job is run: one runner a kind, one dict of them."""

from collections.abc import Callable

from saltant.jobs import Kind
from saltant.worker.runners.base import Runner, Tools
from saltant.worker.runners.executable import ExecutableRunner

__all__ = ["RUNNERS", "Runner", "Tools", "make_runners"]

RUNNERS: dict[Kind, Callable[[Tools], Runner]] = {
    Kind.EXECUTABLE: ExecutableRunner,
}


def make_runners(tools: Tools) -> dict[Kind, Runner]:
    """The runners of a worker."""
    return {kind: make(tools) for kind, make in RUNNERS.items()}
