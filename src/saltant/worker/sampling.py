"""A tree's largest memory, as far as it can be known without a cgroup.

Two sources, both never too high: looks at the living processes from time to time, and the kernel's own record of each
process that has ended. A tree's peak between two looks can be higher than both.

Loaded by the launcher: the standard library only, and little of it.
"""

import os
import resource
import time

from saltant.worker import processes

_FIRST, _INTERVAL = 0.1, 1.0  # seconds from the start to the first look, and between looks
_SHARE = 0.01  # of one processor's time that looking may take
_MARGIN = 4 << 20  # the kernel's counts are off by some pages per processor


class Sampler:
    """The peak memory of the tree of `root`'s children."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.peak = 0  # bytes; 0: not known
        self.next_look = time.monotonic() + _FIRST
        # The program's record begins with the size that its process had before execve: ours. What is not clearly more
        # says nothing about the program.
        self.own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + _MARGIN

    def count(self, maxrss: int) -> None:
        """Take in what the kernel says of an ended child, in KiB."""
        if maxrss * 1024 > self.own:
            self.peak = max(self.peak, maxrss * 1024)

    def look(self, now: float) -> float:
        """Look, if it is time to; returns the seconds until the next look."""
        if now >= self.next_look:
            self.peak = max(self.peak, _memory([seen.pid for seen in processes.descendants(self.root)]))
            took = time.monotonic() - now
            self.next_look = now + took + max(_INTERVAL, took / _SHARE)
            now += took
        return self.next_look - now


def _memory(pids: list[int]) -> int:
    """Of one process its peak; of several what they have now, shared pages counted once."""
    if len(pids) == 1:
        return _field(f"/proc/{pids[0]}/status", b"VmHWM:")
    return sum(_field(f"/proc/{pid}/smaps_rollup", b"Pss:") for pid in pids)


def _field(path: str, name: bytes) -> int:
    """A field in KiB, as bytes; 0 where there is none (any more)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        text = os.read(fd, 8192)
    except OSError:
        return 0
    finally:
        os.close(fd)
    start = text.find(b"\n" + name)
    return int(text[start + len(name) + 1 :].split(None, 1)[0]) * 1024 if start >= 0 else 0
