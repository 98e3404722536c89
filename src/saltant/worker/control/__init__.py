"""What a worker needs of its server, whichever way it is reached."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

from saltant.jobs import Attempt, End, Job, Kind, Ticket


class Control(Protocol):
    """The server, as a worker sees it. Every call may be made from any thread."""

    def announce(self, worker: str, queues: Collection[str] | None, kinds: Collection[Kind], slots: int) -> None:
        """Say what `worker` serves: `queues` (None: every queue), `kinds`, and how many jobs at once."""

    def claim(self, ticket: Ticket, worker: str) -> Job | None:
        """Take the attempt, or None: somebody has it, it ended, or it may not start."""

    def heartbeat(self, worker: str, running: Mapping[Attempt, datetime | None]) -> set[Attempt]:
        """Renew the leases of `running`, told with their programs' starts; returns those that are to be ended now."""

    def finish(self, attempt: Attempt, worker: str, end: End) -> bool:
        """Report an end; False if the server had given the attempt up already."""
