"""What a runner is, and what it works with."""

from dataclasses import dataclass
from typing import Protocol

from saltant.jobs import End, Job
from saltant.worker.cgroups import Cgroups
from saltant.worker.environment import Environment
from saltant.worker.folders import WorkerFolders
from saltant.worker.launch import Launcher
from saltant.worker.running import Running


@dataclass(frozen=True, slots=True)
class Tools:
    """What runners work with.

    Attributes:
        folders: the worker's folders.
        launcher: starts processes; closed with the runners.
        environment: the worker's variables, as far as jobs may have them.
        cgroups: makes the cgroups of jobs with limits.
        kill_grace: seconds between SIGTERM and SIGKILL for what a program leaves behind, and if the worker dies.
        umask: the umask of jobs.
    """

    folders: WorkerFolders
    launcher: Launcher
    environment: Environment
    cgroups: Cgroups
    kill_grace: float = 5.0
    umask: int = 0o077


class Runner(Protocol):
    """Runs jobs of one kind. Every call may be made from any thread."""

    def run(self, job: Job, running: Running) -> End:
        """Run a job from its start until nothing of it is alive, ending it when `running` says so."""

    def close(self, timeout: float) -> None:
        """Let go of what jobs were run with; `timeout` in seconds."""
