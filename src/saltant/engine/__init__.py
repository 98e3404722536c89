"""How tickets reach workers. The database is the truth; an engine only carries hints."""

from typing import Protocol
from uuid import UUID

from saltant.jobs import Ticket


class Engine(Protocol):
    """Carries tickets to workers and cancels to those who run something.

    Attributes:
        is_lossless: whether no committed instance can miss its ticket: publishing never fails, and a start refills.
    """

    is_lossless: bool

    def publish(self, ticket: Ticket) -> None:
        """Tell the workers of the ticket's queue that it can be claimed."""

    def cancel(self, uuid: UUID) -> None:
        """Tell whoever runs the instance to look whether it is to be ended."""

    def ping(self) -> None:
        """Return if tickets can be carried now; raise EngineUnavailable otherwise."""


class EngineUnavailable(Exception):
    """Tickets cannot be carried now. Nothing is lost: the sweeper publishes again."""
