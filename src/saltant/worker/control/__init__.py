"""What a worker needs of its server, whichever way it is reached."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from saltant.files import LogChunk, RefusedFile, ResultOffer
from saltant.jobs import Attempt, End, Job, Ticket
from saltant.progress import Progress
from saltant.workers import Announcement, Orders


class Control(Protocol):
    """The server, as a worker sees it. Every call may be made from any thread."""

    @property
    def server(self) -> str:
        """What tells this server from others, whichever way it is reached; empty until it has said so."""

    def announce(self, said: Announcement, holding: Collection[Attempt] | None = None) -> Collection[str] | None:
        """Say what this worker is; returns the lanes of its queues, by which their tickets come. None: every lane.

        Args:
            said: all of it.
            holding: at a start, the attempts of an earlier life whose ends it still has to report: whatever else it
                had claimed is lost. None: it says itself again, and what it holds stays.

        Raises:
            Refused: the server does not take it; trying again is of no use.
        """

    def claim(self, ticket: Ticket, worker: str) -> Job | None:
        """Take the attempt, or None: somebody has it, it ended, or it may not start (the server sends a new ticket)."""

    def heartbeat(
        self,
        worker: str,
        running: Mapping[Attempt, datetime | None],
        progress: Mapping[Attempt, Progress] | None = None,
    ) -> Orders:
        """Renew the leases of `running`, told with their programs' starts; returns what to do.

        `progress` is how far some of them are, where that is news.
        """

    def live(self, attempts: Collection[Attempt]) -> Collection[Attempt]:
        """Which of `attempts` hold a lease, whoever's."""

    def finish(self, attempt: Attempt, worker: str, end: End) -> bool:
        """Report an end; False if the server had given the attempt up already."""

    def finish_soon(
        self, attempt: Attempt, worker: str, end: End, on_answer: Callable[[bool | Exception], None]
    ) -> None:
        """Report an end; what `finish` would return or raise is told to `on_answer`, from any thread, maybe at once."""

    def leave(self, worker: str, *, draining: bool = False) -> None:
        """Say that this worker takes nothing any more: `draining` while something still runs, and again at its end."""

    def ship(self, worker: str, chunks: Sequence[LogChunk]) -> list[int]:
        """Send pieces of logs; returns from where to go on with each of them, or NO_MORE.

        An empty piece asks. Pieces that were sent before change nothing.
        """

    def offer(
        self, attempt: Attempt, worker: str, files: Sequence[ResultOffer], refused: Sequence[RefusedFile]
    ) -> list[int]:
        """Say what a job left, and what of it is not taken; returns how much the server has of each file, or NO_MORE.

        Of many files some are said at a time.
        """

    def upload(self, attempt: Attempt, worker: str, name: str, offset: int, data: bytes) -> int:
        """Send a piece of a file that was offered; returns from where to go on, or NO_MORE.

        That is 0 again if what has come is not what was offered.
        """
