"""The control of a worker in the server's own process."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from saltant.engine.embedded import EmbeddedEngine
from saltant.files import LogChunk, RefusedFile, ResultOffer
from saltant.jobs import Attempt, End, Job, Ticket
from saltant.progress import Progress
from saltant.server.files import services as files_services
from saltant.server.tasks import services
from saltant.server.tasks.models import Worker
from saltant.workers import Announcement, Orders


class LocalControl:
    """Calls the services directly.

    Args:
        engine: where the tickets come from.
    """

    def __init__(self, engine: EmbeddedEngine) -> None:
        self._engine = engine

    @cached_property
    def server(self) -> str:
        """What tells this server from others."""
        return services.server_identity()

    def announce(self, said: Announcement, holding: Collection[Attempt] | None = None) -> Collection[str] | None:
        """Say what the worker is. It is nobody's, whoever had its name before."""
        lanes = services.announce(said, holding)
        Worker.objects.filter(name=said.worker).exclude(user=None).update(user=None)
        return lanes

    def claim(self, ticket: Ticket, worker: str) -> Job | None:
        """Take the attempt, or None."""
        return self._engine.job_of(ticket.attempt) or services.claim(ticket, worker)

    def heartbeat(
        self,
        worker: str,
        running: Mapping[Attempt, datetime | None],
        progress: Mapping[Attempt, Progress] | None = None,
    ) -> Orders:
        """Renew leases; returns what to do."""
        return services.heartbeat(worker, running, progress)

    def live(self, attempts: Collection[Attempt]) -> Collection[Attempt]:
        """Which of `attempts` hold a lease."""
        return services.live(attempts)

    def finish(self, attempt: Attempt, worker: str, end: End) -> bool:
        """Report an end."""
        return services.finish(attempt, worker, end)

    def finish_soon(
        self, attempt: Attempt, worker: str, end: End, on_answer: Callable[[bool | Exception], None]
    ) -> None:
        """Report an end."""
        try:
            answer: bool | Exception = self.finish(attempt, worker, end)
        except Exception as error:
            answer = error
        on_answer(answer)

    def exchange(self, attempt: Attempt, worker: str, end: End, ticket: Ticket) -> tuple[bool, Job | None]:
        """Report an end and take the next attempt, both or neither."""
        return services.exchange(attempt, worker, end, ticket)

    def leave(self, worker: str, *, draining: bool = False) -> None:
        """Say that the worker takes nothing any more."""
        services.leave(worker, draining=draining)

    def ship(self, worker: str, chunks: Sequence[LogChunk]) -> list[int]:
        """Send pieces of logs."""
        return files_services.append_logs(worker, chunks)

    def offer(
        self, attempt: Attempt, worker: str, files: Sequence[ResultOffer], refused: Sequence[RefusedFile]
    ) -> list[int]:
        """Say what a job left."""
        return files_services.offer_results(worker, attempt, files, refused)

    def upload(self, attempt: Attempt, worker: str, name: str, offset: int, data: bytes) -> int:
        """Send a piece of a file."""
        return files_services.put_result(worker, attempt, name, offset, data)
