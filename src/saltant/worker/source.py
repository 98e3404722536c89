"""Where a worker's tickets come from."""

from collections.abc import Collection
from typing import Protocol

from saltant.jobs import Kind, Ticket


class Source(Protocol):
    """Where tickets come from. Every call may be made from any thread."""

    def take(self, queues: Collection[str] | None, kinds: Collection[Kind], timeout: float | None) -> Ticket | None:
        """The next ticket for one of `queues` (None: any) and `kinds`; None after `timeout` seconds, or when closed.

        The collection of `kinds` may change while it is waited.
        """

    def refresh(self, kinds: Collection[Kind]) -> None:
        """Look anew what is to be taken: the `kinds` that takers name have changed. Returns at once."""

    def give_back(self, ticket: Ticket) -> None:
        """Give the ticket out again: it could not be claimed, as the server was not to be reached."""

    def close(self) -> None:
        """Give out nothing any more, and wake all takers with None."""
