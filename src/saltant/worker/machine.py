"""What a worker says of the machine it runs on."""

import logging
import os
import socket
import subprocess
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from saltant.jobs import Kind
from saltant.worker.cgroup_places import own_cgroups
from saltant.workers import Announcement

log = logging.getLogger("saltant.worker")

_GPU_TIME = 10.0  # seconds that a driver may take to tell its GPUs
_LONGEST_NAME = 200  # characters


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine, as far as it is a worker's.

    Attributes:
        host: its name.
        version: the version of saltant on it.
        cpus: processors that this process may use; None: not counted.
        memory: bytes that this process may use; None: not counted.
        gpus: its GPUs, by name.
    """

    host: str = ""
    version: str = ""
    cpus: float | None = None
    memory: int | None = None
    gpus: Sequence[str] = ()

    def announce(
        self, worker: str, *, identity: str, queues: Collection[str] | None, slots: int, kinds: Collection[Kind]
    ) -> Announcement:
        """What a worker on it says of itself."""
        return Announcement(
            worker=worker,
            identity=identity,
            queues=queues,
            kinds=kinds,
            slots=slots,
            host=self.host,
            version=self.version,
            cpus=self.cpus,
            memory=self.memory,
            gpus=self.gpus,
        )


def this_machine(cpus: float | None = None, memory: int | None = None) -> Machine:
    """This machine; `cpus` and `memory` where they are not to be what is found."""
    return Machine(
        host=socket.gethostname()[:_LONGEST_NAME],
        version=metadata.version("saltant-py"),
        cpus=usable_cpus() if cpus is None else cpus,
        memory=usable_memory() if memory is None else memory,
        gpus=find_gpus(),
    )


def usable_cpus(proc: Path = Path("/proc/self")) -> float:
    """How many processors this process may use: those of its affinity, or less by its cgroups."""
    found = float(len(os.sched_getaffinity(0)))
    for folder in _folders(proc, "cpu"):
        with suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            found = min(found, int(quota) / int(period))
        with suppress(OSError, ValueError):
            quota_v1 = int((folder / "cpu.cfs_quota_us").read_text())
            if quota_v1 > 0:
                found = min(found, quota_v1 / int((folder / "cpu.cfs_period_us").read_text()))
    return max(found, 0.01)


def usable_memory(proc: Path = Path("/proc/self"), meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """How many bytes this process may use: the machine's, or less by its cgroups. None if it cannot be known."""
    found: list[int] = []
    with suppress(OSError, ValueError, IndexError, StopIteration):
        line = next(line for line in meminfo.read_text().splitlines() if line.startswith("MemTotal:"))
        found.append(int(line.split()[1]) * 1024)
    for folder in _folders(proc, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):  # "max" is no number, and no limit
                found.append(int((folder / name).read_text()))
    return min(found, default=None)


def find_gpus(command: Sequence[str] = ("nvidia-smi", "-L")) -> list[str]:
    """The GPUs that the driver's own program tells; none where it is missing, or does not answer in time."""
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_GPU_TIME, stdin=subprocess.DEVNULL)
    except (FileNotFoundError, PermissionError):  # the latter also where the PATH has a folder that is closed to us
        return []
    except (OSError, subprocess.TimeoutExpired, UnicodeError) as error:
        log.warning("The GPUs cannot be found: %s", error)
        return []
    if told.returncode != 0:
        log.warning("The GPUs cannot be found: nvidia-smi failed with exit code %d.", told.returncode)
        return []
    # GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-…)
    lines = [line.strip() for line in told.stdout.splitlines() if line.startswith("GPU ")]
    return [line.partition(": ")[2].partition(" (UUID:")[0][:_LONGEST_NAME] or line for line in lines]


def _folders(proc: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's cgroup and of those above it, as far as they are shown."""
    try:
        own = own_cgroups(proc)
    except (OSError, ValueError):
        return
    for name in (controller, ""):
        folder = own.get(name)
        while folder is not None and (folder / "cgroup.procs").exists():
            yield folder
            folder = folder.parent
