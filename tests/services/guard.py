"""Runs a service and sees to it that nothing of it outlives the test run: guard.py FOLDER UID GID PROGRAM ARGUMENT...

Standard input is a pipe from the test run. When that closes, because the run ended or was killed, the service and all
that it started get SIGKILL, and its folder goes. A byte on the pipe kills too, but leaves the folder. SIGTERM, SIGINT
and SIGQUIT are passed on.

It runs without this repository on its path: standard library only.
"""

import ctypes
import os
import select
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Run the service; returns its exit code."""
    folder, uid, gid, *command = sys.argv[1:]
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    # What daemonizes (epmd does) becomes a child of this process instead of init's.
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ours = os.getpid()
    service = os.fork()
    if service == 0:
        try:
            _become(int(uid), int(gid))
            # After the change of user, which would undo it.
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() == ours:
                os.execvp(command[0], command)  # noqa: S606
        finally:
            os._exit(127)
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(sig, lambda received, _: _send(service, received))
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            ended, status = _reap(service)
            if ended:
                _kill_children()
                return os.waitstatus_to_exitcode(status) & 0xFF
        if 0 in ready:
            wanted = os.read(0, 1)
            _kill_children()
            if not wanted:
                shutil.rmtree(folder, ignore_errors=True)
            return 137


def _become(uid: int, gid: int) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    if uid != os.getuid():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def _send(pid: int, sig: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, sig)


def _reap(service: int) -> tuple[bool, int]:
    """Collect the dead. Returns whether the service is among them, and its status."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True, 0
        if pid == service:
            return True, status
        if pid == 0:
            return False, 0


def _kill_children() -> None:
    """Kill every child, and so, as their orphans become ours, every descendant."""
    with suppress(ChildProcessError):
        while True:
            for pid in _children():
                _send(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(stat.parent.name))
    return found


if __name__ == "__main__":
    sys.exit(main())
