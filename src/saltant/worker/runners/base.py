"""What a runner is, and what it works with."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from saltant.jobs import Attempt, End, Job
from saltant.worker.cgroups import Cgroups
from saltant.worker.environment import Environment
from saltant.worker.folders import WorkerFolders
from saltant.worker.gpus import GpuPool
from saltant.worker.launch import Launcher
from saltant.worker.running import Running

AreLive = Callable[[Collection[Attempt]], Collection[Attempt]]
"""Asks the server which of some attempts hold a lease. Raises what a control raises when the server is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers:
    """How a worker runs containers.

    Attributes:
        server: asks for what identifies the worker's server, wherever it is reached: a container is labelled with it.
        worker: the worker's name.
        images: the folder for images that are kept as files.
        docker_host: where the Docker engine is; empty: where Docker's own programs look.
        registry_auth: a file with the registries' credentials, in the form of Docker's `config.json`; None: the one of
            the worker's user.
        pull_timeout: seconds that one try to pull an image may take.
        pull_tries: how often a pull is tried.
        gpus: the machine's GPUs, by name.
        user: as whom containers run whose type names no user: `self` for the worker's own user; empty: as their images
            say.
    """

    server: Callable[[], str]
    worker: str
    images: Path
    docker_host: str = ""
    registry_auth: Path | None = None
    pull_timeout: float = 1800.0
    pull_tries: int = 3
    gpus: Collection[str] = ()
    user: str = ""


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
        containers: how containers are run; None: they are not.
        gpus: hands out the machine's GPUs, to jobs of every kind.
    """

    folders: WorkerFolders
    launcher: Launcher
    environment: Environment
    cgroups: Cgroups
    kill_grace: float = 5.0
    umask: int = 0o077
    containers: Containers | None = None
    gpus: GpuPool = field(default_factory=lambda: GpuPool(0))


class Runner(Protocol):
    """Runs jobs of one kind. Every call may be made from any thread."""

    def run(self, job: Job, running: Running) -> End:
        """Run a job from its start until nothing of it is alive, ending it when `running` says so."""

    def why_not(self) -> str:
        """Why jobs of this kind cannot be run here now, in a sentence; empty: they can.

        It asks each time, and answers within some seconds, whatever its engine does.
        """

    def sweep(self, are_live: AreLive) -> None:
        """Remove what killed workers left on this machine, as far as no live attempt owns it."""

    def close(self, timeout: float) -> None:
        """Let go of what jobs were run with; `timeout` in seconds."""
