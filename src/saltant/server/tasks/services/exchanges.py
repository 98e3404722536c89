"""An end and the next claim in one transaction."""

from django.db import transaction

from saltant.jobs import Attempt, End, Job, Ticket
from saltant.server.tasks.services.attempts import finish
from saltant.server.tasks.services.claims import claim


def exchange(attempt: Attempt, worker: str, end: End, ticket: Ticket) -> tuple[bool, Job | None]:
    """What `finish` and `claim` return. Both are committed, or neither is.

    Each commit waits for the disk: with jobs in line, a worker in the server's own process waits half as often.
    """
    # Theirs are no savepoints in this one: what fails in either undoes both.
    with transaction.atomic():
        # The end first: it makes room.
        return finish(attempt, worker, end), claim(ticket, worker)
