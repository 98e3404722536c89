"""Claiming an instance in the transaction that makes it, where a slot of this process waits for nothing else.

So a job on an idle `saltant up` waits for the disk once before it starts, and not twice.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.db import transaction

from saltant.engine.embedded import EmbeddedEngine
from saltant.jobs import Attempt, Job, Kind, Ticket
from saltant.server.tasks import dispatch
from saltant.server.tasks.models import TaskInstance
from saltant.server.tasks.services.claims import claim_unlimited, unclaim

log = logging.getLogger("saltant.attempts")

_local = threading.local()


class _Birth:
    """What one transaction claims: one instance at most.

    Attributes:
        engine: whose taker is reserved; None: no one's, or not any more.
    """

    engine: EmbeddedEngine | None = None
    is_used = False


@contextmanager
def claimed_at_once() -> Iterator[None]:
    """To be put around a transaction that makes one instance: a slot that waits for it has it with the commit."""
    birth = _local.birth = _Birth()
    try:
        yield
    finally:
        _local.birth = None
        if birth.engine is not None:  # nothing was committed, or nothing claimed
            birth.engine.release()


def claim_at_birth(instance: TaskInstance, lane: str) -> bool:
    """Claim an instance that was just saved for a slot that waits, if there is one; whether that was done."""
    birth: _Birth | None = getattr(_local, "birth", None)
    if birth is None or birth.is_used:
        return False
    birth.is_used = True
    birth.engine = engine = dispatch.reserve(instance, lane)
    if engine is None:
        return False
    attempt = Attempt(instance.uuid, instance.attempt)
    job = claim_unlimited(attempt, engine.worker)
    if job is None:
        return False
    ticket = Ticket(attempt, lane, Kind(instance.kind), instance.priority)
    transaction.on_commit(partial(_hand, birth, engine, ticket, job))
    return True


def _hand(birth: _Birth, engine: EmbeddedEngine, ticket: Ticket, job: Job) -> None:
    birth.engine = None
    if engine.hand(ticket, job):
        return
    try:
        unclaim(ticket.attempt, engine.worker)
    except Exception:
        # The instance stands, and whoever made it is told so. The next start finds what holds a lease.
        log.exception("%s was claimed as its worker stopped, and could not be given back.", ticket.attempt.uuid)
