"""How each kind of job is run: one runner a kind, one dict of them."""

from collections.abc import Callable

from saltant.jobs import Kind
from saltant.worker.runners.base import Containers, Runner, Tools
from saltant.worker.runners.executable import ExecutableRunner

__all__ = ["RUNNERS", "Containers", "Runner", "Tools", "make_runners"]


def _docker(tools: Tools) -> Runner:
    from saltant.worker.runners.docker import DockerRunner

    return DockerRunner(tools, tools.gpus)


def _singularity(tools: Tools) -> Runner:
    from saltant.worker.runners.singularity import SingularityRunner

    return SingularityRunner(tools)


RUNNERS: dict[Kind, Callable[[Tools], Runner]] = {
    Kind.EXECUTABLE: ExecutableRunner,
    Kind.DOCKER: _docker,
    Kind.SINGULARITY: _singularity,
}


def make_runners(tools: Tools) -> dict[Kind, Runner]:
    """The runners of a worker. Whether containers can be run at the time, each of them tells when it is asked."""
    kinds = [Kind.EXECUTABLE] if tools.containers is None else list(RUNNERS)
    return {kind: RUNNERS[kind](tools) for kind in kinds}
