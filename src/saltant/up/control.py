"""The control of a worker in the server's own process."""

from collections.abc import Collection, Mapping
from datetime import datetime

from saltant.jobs import Attempt, End, Job, Kind, Ticket
from saltant.server.tasks import services


class LocalControl:
    """Calls the services directly."""

    def announce(self, worker: str, queues: Collection[str] | None, kinds: Collection[Kind], slots: int) -> None:
        """Say what `worker` serves."""
        services.announce(worker, queues, kinds, slots)

    def claim(self, ticket: Ticket, worker: str) -> Job | None:
        """Take the attempt, or None."""
        return services.claim(ticket, worker)

    def heartbeat(self, worker: str, running: Mapping[Attempt, datetime | None]) -> set[Attempt]:
        """Renew leases; returns what is to be ended now."""
        return services.heartbeat(worker, running)

    def finish(self, attempt: Attempt, worker: str, end: End) -> bool:
        """Report an end."""
        return services.finish(attempt, worker, end)
