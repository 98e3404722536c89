"""Ending what an earlier run left behind: for a start after everything was killed at once.

Nothing was stored about those processes. A job's are known by the JOB_LOGS_DIRECTORY in their environment, below this
data folder, and so are their descendants; launcher and shims by SALTANT_LAUNCHER.
"""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from saltant.worker import processes
from saltant.worker.watch import HURRY

LAUNCHER_VARIABLE = "SALTANT_LAUNCHER"
"""In the launcher's environment: the data folder it works for."""

Belongs = Callable[[Mapping[bytes, bytes]], bool]

_PAUSE = 0.02  # seconds
_FOLDER = re.compile(rb'"workdir":("(?:[^"\\]|\\.)+/work/[0-9a-f-]{36}\.[0-9]+")')


def kill_leftovers(data: Path | str, timeout: float = 10.0) -> int:
    """End all that is left of earlier runs over the data folder; returns how many processes were killed.

    To be called by the one who holds the data folder's lock, before it starts a launcher. `timeout` is in seconds;
    TimeoutError if something is alive after it.
    """
    folder = os.fsencode(Path(data).resolve())

    def is_job(environment: Mapping[bytes, bytes]) -> bool:
        return environment.get(b"JOB_LOGS_DIRECTORY", b"").startswith(folder + b"/")

    def is_watch(environment: Mapping[bytes, bytes]) -> bool:
        return environment.get(LAUNCHER_VARIABLE.encode()) == folder

    until = time.monotonic() + timeout
    killed = kill_matching(is_job, until)
    while watches := list(_find(is_watch)):
        for seen in watches:
            processes.send(seen, HURRY, signal.SIGCONT)  # a shim then ends what an emptied environment hides from us
        if time.monotonic() > until:
            pids = ", ".join(str(seen.pid) for seen in watches)
            raise TimeoutError(f"Processes of an earlier run do not end: {pids}")
        time.sleep(_PAUSE)
        killed += kill_matching(is_job, until)
    return killed


def kill_matching(belongs: Belongs, until: float | None = None) -> int:
    """Kill all processes whose environment `belongs` accepts, and their descendants; returns how many.

    Returns when none is left; TimeoutError when time.monotonic() passes `until` before.
    """

    ourselves = _ancestry()

    def find() -> Iterator[processes.Seen]:
        for seen in _find(belongs):
            if seen.pid not in ourselves:
                yield seen
                yield from processes.descendants(seen.pid, skip=ourselves)

    killed = 0
    looks = 0
    while looks < 2:  # in the middle of an execve a process shows no environment: one look is not enough
        found = processes.freeze_and_kill(find)
        killed += found
        looks = 0 if found else looks + 1
        if found and until is not None and time.monotonic() > until:
            raise TimeoutError("Processes of an earlier run cannot be killed.")
        time.sleep(_PAUSE)
    return killed


def _find(belongs: Belongs) -> Iterator[processes.Seen]:
    for pid in processes.all_pids():
        seen = processes.look(pid)
        if seen is None or seen.is_dead or not belongs(environment_of(pid)):
            continue
        if seen.is_same(processes.look(pid)):  # the environment read was this very process's
            yield seen


def _ancestry() -> set[int]:
    """This process and those it comes from: started inside a job, it must not end itself."""
    found = set()
    seen = processes.look(os.getpid())
    while seen is not None and seen.pid not in found:
        found.add(seen.pid)
        seen = processes.look(seen.parent)
    return found


def environment_of(pid: int) -> dict[bytes, bytes]:
    """The environment that a process was started with, its marks at least; empty where it cannot be read."""
    try:
        data = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    environment = dict(part.split(b"=", 1) for part in data.split(b"\0") if b"=" in part)
    return _marks_of_container(environment.get(b"ENGINE_CONFIG1", b"")) | environment


def _marks_of_container(orders: bytes) -> dict[bytes, bytes]:
    """The marks of a job whose container Apptainer holds: the process that does keeps its orders alone."""
    found = _FOLDER.search(orders)
    if found is None:
        return {}
    work = Path(json.loads(found[1]))
    logs = work.parent.with_name("logs") / work.stem
    return {b"JOB_UUID": os.fsencode(work.stem), b"JOB_LOGS_DIRECTORY": os.fsencode(logs)}
