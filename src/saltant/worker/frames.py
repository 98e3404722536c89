"""What worker and shim say to each other, as bytes.

From the worker: an Order of fixed size; RUN is followed by so many bytes of a packed Program and carries the job's
stdout and stderr as descriptors. Every order names its job, so that one that comes late does not hit the next.

From the shim, for each job: exactly two Reports of fixed size, so that the worker's thread wakes once for a short job.
First STARTED or NOT_STARTED, then ENDED, FAILED or BROKEN; a JSON text of so many bytes follows the last two.

Loaded by the launcher: the standard library only, and little of it.
"""

from struct import Struct
from typing import NamedTuple

RUN, END = b"R", b"E"
ORDER = Struct("!cIQ")
"""Kind, job, and the length of what follows (RUN) or the grace in milliseconds (END)."""

STARTED, NOT_STARTED = b"S", b"N"
ENDED = b"E"
FAILED = b"F"
"""It could not be started; the JSON says what hindered it, as program.py does."""
BROKEN = b"B"
"""The shim gives up; the JSON says why, as a string."""

SIGNALLED, TIMED_OUT = 1, 2
_REPORT = Struct("!cIiBddQ")
SIZE = _REPORT.size


class Report(NamedTuple):
    """What a shim says of its job.

    Attributes:
        kind: one of the above.
        number: STARTED: the program's process number; FAILED, BROKEN: the length of the JSON.
        status: ENDED: as waitpid gives it.
        flags: ENDED: SIGNALLED if the shim sent the program a signal while it ran, TIMED_OUT if that was why.
        time: STARTED, ENDED: when, in seconds since 1970.
        cpu_seconds: ENDED: of all its processes.
        peak_memory: ENDED: in bytes, 0 if it is not known.
    """

    kind: bytes
    number: int = 0
    status: int = 0
    flags: int = 0
    time: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0

    def pack(self) -> bytes:
        """SIZE bytes."""
        return _REPORT.pack(*self)

    @classmethod
    def unpack(cls, data: bytes) -> "Report":
        """The report of SIZE bytes."""
        return cls(*_REPORT.unpack(data))


def order_end(job: int, grace: float) -> bytes:
    """The order to end a job, by force after `grace` seconds."""
    return ORDER.pack(END, job, round(min(max(grace, 0.0), 1e9) * 1000))
