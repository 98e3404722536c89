"""How tickets reach workers. The database is the truth; an engine only carries hints."""

from typing import Protocol
from uuid import UUID

from saltant.jobs import Kind, Ticket


class Engine(Protocol):
    """Carries tickets to workers and cancels to those who run something. Every call may be made from any thread.

    Attributes:
        is_lossless: whether no committed instance can miss its ticket: publishing never fails, and a start refills.
    """

    is_lossless: bool

    def publish(self, ticket: Ticket) -> None:
        """Tell the workers of the ticket's queue that it can be claimed; raise EngineUnavailable if that fails."""

    def cancel(self, uuid: UUID) -> None:
        """Tell whoever runs the instance to look whether it is to be ended; raise EngineUnavailable if that fails."""

    def ping(self) -> None:
        """Return if tickets can be carried now; raise EngineUnavailable otherwise."""

    def depth(self, queue: str, kind: Kind) -> int:
        """How many tickets of `queue` and `kind` nobody has taken yet; raise EngineUnavailable if that fails."""

    def close(self) -> None:
        """Give up what it holds open."""


class EngineUnavailable(Exception):
    """Tickets cannot be carried now. Nothing is lost: the sweeper publishes again."""
