"""What a worker says of itself, and what its server tells it to do."""

from collections.abc import Collection
from dataclasses import dataclass, field

from saltant.jobs import Attempt, Kind

PROTOCOL = 1
"""Which form of their conversation server and worker speak. A server takes its own and the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What a worker is and has.

    Attributes:
        worker: its name, unique among the workers of a server.
        identity: what tells this worker from another of the same name: made once for its folder.
        queues: the queues it serves, as it was told at its start; None for every queue.
        lanes: what its server said at its start that their tickets come under; None: it has not been told.
        kinds: the kinds of jobs it can run.
        slots: how many jobs it runs at once.
        host: the name of its machine.
        version: the version of saltant it runs.
        cpus: processors that its jobs may ask for together; None: not counted.
        memory: bytes that its jobs may ask for together; None: not counted.
        gpus: its GPUs, by name.
    """

    worker: str
    identity: str = ""
    queues: Collection[str] | None = None
    lanes: Collection[str] | None = None
    kinds: Collection[Kind] = ()
    slots: int = 1
    host: str = ""
    version: str = ""
    protocol: int = PROTOCOL
    cpus: float | None = None
    memory: int | None = None
    gpus: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Orders:
    """The answer to a heartbeat.

    Attributes:
        to_end: attempts that are to be ended now: terminated by somebody, or not this worker's any more.
        drain: take nothing new; when nothing runs any more, leave.
        announce: the server does not know this worker: announce again.
    """

    to_end: Collection[Attempt] = field(default_factory=frozenset)
    drain: bool = False
    announce: bool = False


class Refused(Exception):
    """The server does not want this worker as it is. The message says why and what to do; trying again is of no use."""
