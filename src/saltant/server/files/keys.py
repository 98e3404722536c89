"""How files are called in the store, and how one of them is held while it is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final, TypeVar
from uuid import UUID

from django.db import connection, transaction

from saltant.server.files.models import LogFile, ResultFile
from saltant.server.files.stores import Key

LOG_BLOCK: Final = 256 * 1024
"""A log grows by little: of what is stored of it in blocks, one is written anew each time."""
RESULT_BLOCK: Final = 4 * 1024 * 1024

File = TypeVar("File", LogFile, ResultFile)

_locks = [Lock() for _ in range(64)]


def instance_prefix(uuid: UUID) -> str:
    """What all files of an instance begin with."""
    return f"{uuid.hex[:2]}/{uuid.hex}"


def logs_prefix(uuid: UUID, number: int) -> str:
    """What the logs of an attempt begin with."""
    return f"{instance_prefix(uuid)}/{number}/logs"


def results_prefix(uuid: UUID, number: int) -> str:
    """What the results of an attempt begin with."""
    return f"{instance_prefix(uuid)}/{number}/results"


def log_key(uuid: UUID, number: int, pk: int) -> Key:
    """The name of a log."""
    return Key(f"{logs_prefix(uuid, number)}/{pk}", LOG_BLOCK)


def result_key(uuid: UUID, number: int, pk: int) -> Key:
    """The name of a result."""
    return Key(f"{results_prefix(uuid, number)}/{pk}", RESULT_BLOCK)


@contextmanager
def held(model: type[File], pk: int) -> Iterator[File | None]:
    """The row as it is now, which nobody else writes to meanwhile; None if it is gone.

    On PostgreSQL the row is locked, for other processes too. SQLite would lock all tables for as long as the store
    takes; but there one process serves all, so that locks of its own do.
    """
    if connection.features.has_select_for_update:
        with transaction.atomic():
            yield model._default_manager.select_for_update(no_key=True).filter(pk=pk).first()
    else:
        with _locks[pk % len(_locks)]:
            yield model._default_manager.filter(pk=pk).first()
