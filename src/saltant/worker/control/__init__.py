"""What a worker needs of its server, whichever way it is reached."""

from collections.abc import Collection, Iterable
from typing import Protocol

from saltant.jobs import Attempt, End, Job, Kind, Ticket


class Control(Protocol):
    """The server, as a worker sees it. Every call may be made from any thread."""

    def announce(self, worker: str, queues: Collection[str] | None, kinds: Collection[Kind], slots: int) -> None:
        """Say what `worker` serves: `queues` (None: every queue), `kinds`, and how many jobs at once."""

    def claim(self, ticket: Ticket, worker: str) -> Job | None:
        """Take the attempt, or None: somebody has it, it ended, or it may not start."""

    def heartbeat(self, worker: str, running: Iterable[Attempt]) -> set[Attempt]:
        """Renew the leases of `running`; returns those of them that are to be ended now."""

    def finish(self, attempt: Attempt, worker: str, end: End) -> bool:
        """Report an end; False if the server had given the attempt up already."""
