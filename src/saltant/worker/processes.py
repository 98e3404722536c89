"""Finding processes through /proc, and signalling exactly those that were found.

A process is known by its number and its start time together: a number alone may have passed to another process. A
signal goes through a pidfd, after a look that it still is the process meant.

This module is loaded by the launcher: the standard library only, and little of it (no pathlib).
"""

import os
import signal
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_HAS_CHILDREN = os.path.exists(f"/proc/self/task/{os.getpid()}/children")  # noqa: PTH110 - pathlib is slow to load
_ROUNDS = 50


class Seen(NamedTuple):
    """A process as /proc showed it."""

    pid: int
    start: int  # in ticks since the machine's start
    parent: int
    state: str

    @property
    def is_dead(self) -> bool:
        """Whether it is a zombie: nothing of it runs any more."""
        return self.state in "ZX"

    def is_same(self, other: "Seen | None") -> bool:
        """Whether both are one process."""
        return other is not None and (self.pid, self.start) == (other.pid, other.start)


def look(pid: int) -> Seen | None:
    """The process that has this number now, or None."""
    try:
        text = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    fields = text[text.rfind(b")") + 2 :].split(None, 20)
    return Seen(pid, int(fields[19]), int(fields[1]), chr(fields[0][0]))


def children(pid: int) -> list[int]:
    """The numbers of a process's children; best effort while they come and go."""
    if not _HAS_CHILDREN:
        return [other for other in all_pids() if (seen := look(other)) is not None and seen.parent == pid]
    found: list[int] = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
    except OSError:
        return found
    for task in tasks:
        try:
            found += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
        except OSError:
            continue
    return found


def all_pids() -> list[int]:
    """The numbers of all processes of the machine."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def descendants(root: int, skip: Collection[int] = ()) -> Iterator[Seen]:
    """The living descendants of the process `root`, parents first, without the children `skip` and what is below them.

    Each is yielded before its own children are looked for, so that who stops it first sees all of them. Those who lose
    their parent meanwhile are missed: look again until nothing is new.
    """
    first = look(root)
    waiting = [first] if first is not None else []
    while waiting:
        parent = waiting.pop()
        found = []
        for pid in children(parent.pid):
            if pid not in skip:
                seen = look(pid)
                if seen is not None and seen.parent == parent.pid and not seen.is_dead:
                    found.append(seen)
        if found and not parent.is_same(look(parent.pid)):
            continue  # its number may be somebody else's by now; its children have moved up and are seen next time
        for seen in found:
            yield seen
            waiting.append(seen)


def send(seen: Seen, *signums: int) -> bool:
    """Send signals to exactly this process; False if it has ended, or may not be signalled."""
    try:
        pidfd = os.pidfd_open(seen.pid)
    except OSError:
        return False
    try:
        if not seen.is_same(look(seen.pid)):
            return False
        for signum in signums:
            signal.pidfd_send_signal(pidfd, signum)
    except OSError:
        return False
    finally:
        os.close(pidfd)
    return True


def freeze_and_kill(find: Callable[[], Iterator[Seen]]) -> int:
    """One round against all that `find` finds: stop them, so that none forks away, then SIGKILL. Returns how many."""
    frozen: dict[tuple[int, int], Seen] = {}
    for _ in range(_ROUNDS):
        before = len(frozen)
        for seen in find():
            if (seen.pid, seen.start) not in frozen:
                send(seen, signal.SIGSTOP)
                frozen[seen.pid, seen.start] = seen
        if len(frozen) == before:
            break
    for seen in frozen.values():
        send(seen, signal.SIGKILL)
    return len(frozen)
