"""Memory and CPU limits: a cgroup for each job that asks for them, below the worker's own.

Below its own, so that no job gets more than the worker may use. Both versions of cgroups are spoken; a machine may have
memory in one and CPU in the other. Version 2 gives limits only to cgroups below one that holds no processes: the worker
moves itself into a leaf then, but only where it is alone. Where a limit cannot be set the job is refused, not run
without it.
"""

import hashlib
import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from saltant.worker.cgroup_places import Place, find_places

log = logging.getLogger("saltant.worker")

_PERIOD = 100_000  # microseconds
_LEAST_QUOTA = 1_000  # microseconds; the kernel takes no less
_PATIENCE, _PAUSE = 5.0, 0.01  # seconds


class CannotLimit(Exception):
    """A limit cannot be enforced here; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a job's cgroup counted. What cannot be known is None."""

    peak_memory: int | None = None
    cpu_seconds: float | None = None
    oom_kills: int = 0


@dataclass(slots=True)
class Cgroup:
    """The cgroup of one job: a folder, or two where memory and CPU are in different hierarchies."""

    folders: list[Path] = field(default_factory=list)

    def usage(self) -> Usage:
        """What it counted until now."""
        peak, cpu, kills = None, None, 0
        for folder in self.folders:
            for name in ("memory.peak", "memory.max_usage_in_bytes"):
                with suppress(OSError, ValueError):
                    peak = int((folder / name).read_text()) or None
            for name in ("memory.events", "memory.oom_control"):
                kills += _number(folder / name, "oom_kill") or 0
            microseconds = _number(folder / "cpu.stat", "usage_usec")
            cpu = cpu if microseconds is None else microseconds / 1e6
        return Usage(peak, cpu, kills)

    def remove(self) -> None:
        """End whoever is still in it and remove it; what cannot be removed is logged."""
        for folder in self.folders:
            _remove(folder)


class Cgroups:
    """Makes the cgroups of a worker's jobs.

    Args:
        data: the data folder: this worker's cgroups are known by it.
        places: where cgroups may be made, by controller; by default what `find_places` finds.
    """

    def __init__(self, data: Path | str, places: dict[str, Place | str] | None = None) -> None:
        self._prefix = f"saltant-{hashlib.sha256(os.fsencode(Path(data).resolve())).hexdigest()[:12]}-"
        self._places = find_places() if places is None else places

    def sweep(self) -> None:
        """Remove what a killed worker left. To be called while no job runs."""
        for place in self._places.values():
            if isinstance(place, Place):
                with suppress(OSError):
                    for folder in place.folder.glob(f"{self._prefix}*"):
                        _remove(folder)

    def why_not(self, controller: str) -> str | None:
        """Why `memory` or `cpu` cannot be limited here; None if they can."""
        place = self._places[controller]
        return place if isinstance(place, str) else None

    def make(self, name: str, memory: int | None, cpus: float | None) -> Cgroup:
        """A cgroup with these limits (bytes, processors). CannotLimit if one of them cannot be set."""
        cgroup = Cgroup()
        try:
            for controller, limit in (("memory", memory), ("cpu", cpus)):
                if limit is not None:
                    self._limit(cgroup, name, controller, limit)
        except BaseException:
            cgroup.remove()
            raise
        return cgroup

    def _limit(self, cgroup: Cgroup, name: str, controller: str, limit: float) -> None:
        what = "memory" if controller == "memory" else "processor time"
        place = self._places[controller]
        if isinstance(place, str):
            raise CannotLimit(f"This worker cannot limit {what}: {place}")
        folder = place.folder / f"{self._prefix}{name}"
        try:
            if folder not in cgroup.folders:
                folder.mkdir()
                cgroup.folders.append(folder)
            for file, text, is_needed in _settings(place.version, controller, limit):
                if is_needed or (folder / file).exists():
                    _write(folder / file, text)
        except OSError as error:
            raise CannotLimit(f"This worker cannot limit {what} to {limit:g}: {folder}: {error.strerror}.") from None


def _settings(version: int, controller: str, limit: float) -> Iterator[tuple[str, str, bool]]:
    """File, text, and whether the limit is none without it."""
    # More processors than there are is no limit; version 1 does not take it.
    quota = max(_LEAST_QUOTA, round(min(limit, os.cpu_count() or 1) * _PERIOD))
    match version, controller:
        case 2, "memory":
            yield "memory.max", f"{limit:.0f}", True
            yield "memory.swap.max", "0", False
            yield "memory.oom.group", "1", False  # one process killed and the rest left would be half a job
        case 2, _:
            yield "cpu.max", f"{quota} {_PERIOD}", True
        case _, "memory":
            yield "memory.limit_in_bytes", f"{limit:.0f}", True
            yield "memory.memsw.limit_in_bytes", f"{limit:.0f}", False
        case _:
            yield "cpu.cfs_period_us", str(_PERIOD), True
            yield "cpu.cfs_quota_us", str(quota), True


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)  # never made: a file that is not there is a limit that is not
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _number(path: Path, name: str) -> int | None:
    """The number after a name in a file of such lines."""
    with suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] == [name]:
                return int(words[1])
    return None


def _remove(folder: Path) -> None:
    """Remove a cgroup and those that its job made below it, and end who is in them."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            for below, _, _ in os.walk(folder, topdown=False):
                os.rmdir(below)  # noqa: PTH106 - the files in it go with it
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > until:
                log.warning("The cgroup %s cannot be removed: %s", folder, error)
                return
        for below, _, _ in os.walk(folder):
            _kill_all(Path(below))
        time.sleep(_PAUSE)


def _kill_all(folder: Path) -> None:
    with suppress(OSError):
        _write(folder / "cgroup.kill", "1")
        return
    with suppress(OSError):  # version 1 and old kernels have no such file
        for pid in _members(folder):
            pidfd = os.pidfd_open(pid)
            try:
                if pid in _members(folder):  # it still is the one meant
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            finally:
                os.close(pidfd)


def _members(folder: Path) -> set[int]:
    return {int(pid) for pid in (folder / "cgroup.procs").read_text().split() if pid != "0"}
